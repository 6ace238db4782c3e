package event

// Action says what happened. Besides the constants there are "custom_" actions
// with any ending, which expressions record.
type Action string

// The actions on the wire.
const (
	Login                    Action = "login"
	LoginFailed              Action = "login_failed"
	Logout                   Action = "logout"
	UserWrite                Action = "user_write"
	UserOffboarded           Action = "user_offboarded"
	SuspiciousRequest        Action = "suspicious_request"
	PasswordSet              Action = "password_set"
	SecretView               Action = "secret_view"
	SecretRotate             Action = "secret_rotate"
	InvitationUsed           Action = "invitation_used"
	AuthorizeApplication     Action = "authorize_application"
	SourceLinked             Action = "source_linked"
	ImpersonationStarted     Action = "impersonation_started"
	ImpersonationEnded       Action = "impersonation_ended"
	FlowExecution            Action = "flow_execution"
	PolicyExecution          Action = "policy_execution"
	PolicyException          Action = "policy_exception"
	PropertyMappingException Action = "property_mapping_exception"
	SystemTaskExecution      Action = "system_task_execution"
	SystemTaskException      Action = "system_task_exception"
	SystemException          Action = "system_exception"
	ConfigurationError       Action = "configuration_error"
	ConfigurationWarning     Action = "configuration_warning"
	ModelCreated             Action = "model_created"
	ModelUpdated             Action = "model_updated"
	ModelDeleted             Action = "model_deleted"
	EmailSent                Action = "email_sent"
	UpdateAvailable          Action = "update_available"
	ExportReady              Action = "export_ready"
	ReviewInitiated          Action = "review_initiated"
	ReviewOverdue            Action = "review_overdue"
	ReviewAttested           Action = "review_attested"
	ReviewCompleted          Action = "review_completed"
	AccessRequestCreated     Action = "access_request_created"
	AccessRequestApproved    Action = "access_request_approved"
	AccessRequestDenied      Action = "access_request_denied"
	AccessRequestRevoked     Action = "access_request_revoked"
)

// app is where events of the action come from as the wire has it: the part of
// authentik that emits them there, since policies compare it.
func (a Action) app() string {
	switch a {
	case PolicyExecution, PolicyException:
		return "authentik.policies"
	case FlowExecution:
		return "authentik.flows"
	case SecretView, SecretRotate, ImpersonationStarted, ImpersonationEnded, PropertyMappingException:
		return "authentik.core"
	}
	return "authentik.events"
}

// Custom is the beginning of actions that people and expressions name; alone it
// is an action, too.
const Custom = "custom_"

// Choices lists the actions.
func (Action) Choices() []string {
	return []string{
		string(Login), string(LoginFailed), string(Logout), string(UserWrite), string(UserOffboarded),
		string(SuspiciousRequest), string(PasswordSet), string(SecretView), string(SecretRotate), string(InvitationUsed),
		string(AuthorizeApplication), string(SourceLinked), string(ImpersonationStarted), string(ImpersonationEnded), string(FlowExecution),
		string(PolicyExecution), string(PolicyException), string(PropertyMappingException), string(SystemTaskExecution), string(SystemTaskException),
		string(SystemException), string(ConfigurationError), string(ConfigurationWarning), string(ModelCreated), string(ModelUpdated),
		string(ModelDeleted), string(EmailSent), string(UpdateAvailable), string(ExportReady), string(ReviewInitiated),
		string(ReviewOverdue), string(ReviewAttested), string(ReviewCompleted), string(AccessRequestCreated), string(AccessRequestApproved),
		string(AccessRequestDenied), string(AccessRequestRevoked),
		Custom,
	}
}
