package resource

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Config is what the kinds are made of. All fields without a stated default are
// required.
type Config struct {
	Catalog   *catalog.Catalog
	Stages    []flow.StageType
	Policies  []policy.Type
	Directory *directory.Directory
	// Hasher verifies passwords, so that the same password is no change.
	Hasher *password.Hasher
	Tokens *token.Tokens
	Access *access.Access
	// Events records what is written. The zero Recorder when nil.
	Events *event.Recorder
	// Devices and DeviceKinds are the devices that people confirm with. Nobody has
	// one when nil.
	Devices     *authenticator.Devices
	DeviceKinds []authenticator.Kind
	// Mailer sends mails, and Mails makes them; required for RetryMail and
	// MailInvitation alone.
	Mailer *mail.Mailer
	Mails  *mail.Templates
	// Blueprint judges the sources of blueprint instances. Nil refuses all.
	Blueprint BlueprintSource
	// Avatar returns the address of the picture for a user name. Nil for none.
	Avatar func(username string) string
	// InstallID goes into the opaque ids of users.
	InstallID string
	// BaseURL is where people reach the site; empty where that is not
	// configured.
	BaseURL string
	// Locate tells where an address is, as policies see it. Nil where nothing
	// can be known.
	Locate func(netip.Addr) map[string]any
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Registry knows the kinds by the names of their models. It never changes.
type Registry struct {
	kinds map[string]*Kind
	bases map[string]*Kind
	order []*Kind

	permissions []*Permission
	byCodename  map[string]*Permission

	user    *user
	group   *group
	role    *role
	token   *apiToken
	session *made[sessionRow]
	event   *events

	invitation *invitation
	mailer     *mail.Mailer
	mails      *mail.Templates
	baseURL    string

	devices     *authenticator.Devices
	deviceKinds []authenticator.Kind
}

// New returns a registry of all kinds. A new kind is declared in a file of its
// own and added here.
func New(c Config) *Registry {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Events == nil {
		c.Events = &event.Recorder{Now: c.Now}
	}
	if c.Avatar == nil {
		c.Avatar = func(string) string { return "" }
	}
	if c.Locate == nil {
		c.Locate = func(netip.Addr) map[string]any { return nil }
	}
	p := people{directory: c.Directory, hasher: c.Hasher, access: c.Access, events: c.Events, catalog: c.Catalog, avatar: c.Avatar,
		installID: c.InstallID, now: c.Now}
	roles := roleSets{c.Access}
	r := &Registry{kinds: map[string]*Kind{}, bases: map[string]*Kind{}}
	r.user = &user{people: p, roles: roles, rows: usersTable()}
	r.group = &group{people: p, roles: roles, rows: groupsTable()}
	r.role = &role{people: p, roles: roles, rows: rolesTable()}
	r.token = &apiToken{people: p, tokens: c.Tokens, users: r.user, rows: tokensTable()}
	r.session = sessions(p, c.Locate)
	r.mailer, r.mails, r.baseURL = c.Mailer, c.Mails, c.BaseURL
	r.event = &events{people: p, rows: eventsTable(c.Now)}

	flows := flowKind(c.Catalog)
	r.add(flows)
	r.add(bindingKind(c.Catalog))
	r.addBase(anyStageKind(c.Catalog))
	for i := range c.Stages {
		r.add(stageKind(c.Catalog, &c.Stages[i]))
	}
	r.add(promptKind(c.Catalog))
	r.invitation = &invitation{p, flows, invitationsTable()}
	r.add(&Kind{Objects: r.invitation, Model: invitationModel, Label: "Invitation", Plural: "Invitations", Path: "stages/invitation/invitations",
		Param: "invite_uuid", Key: "pk", Schema: "Invitation", Tag: "stages", Files: true, Filters: invitationFilters()})
	r.addBase(anyPolicyKind(c.Catalog))
	for i := range c.Policies {
		r.add(policyKind(c.Catalog, &c.Policies[i]))
	}
	r.add(policyBindingKind(c.Catalog, p))
	applications := applicationKind(c.Catalog)
	r.add(applications)
	r.add(entitlementKind(c.Catalog))
	r.add(&Kind{Objects: newConsents(p, r.user, applications), Model: consentModel, Label: "User Consent", Plural: "User Consents", Path: "core/user_consent", Param: "id",
		Key: "pk", Schema: "UserConsent", Tag: "core", Calls: List | Retrieve | Delete | UsedBy, Filters: consentFilters()})
	r.devices, r.deviceKinds = c.Devices, c.DeviceKinds
	for _, kind := range c.DeviceKinds {
		own, admin := r.declareDevices(p, kind)
		r.add(own)
		r.order = append(r.order, admin)
	}
	r.add(brandKind(c.Catalog))
	r.add(certificateKind(c.Catalog))
	r.add(blueprintKind(c.Catalog, c.Blueprint))
	r.add(settingsKind(c.Catalog, c.BaseURL))
	r.add(notificationRuleKind(c.Catalog, r.group))
	r.add(notificationTransportKind(c.Catalog))
	r.addBase(anyMappingKind(c.Catalog))
	r.add(webhookMappingKind(c.Catalog))
	r.add(notificationKind(r.event, c.Now))
	r.add(&Kind{Objects: r.user, Model: userModel, Label: "User", Plural: "Users", Path: "core/users", Param: "id", Key: "pk", Schema: "User", Tag: "core",
		Files: true, Verbs: []access.Verb{ResetPassword, access.Impersonate}, Filters: userFilters(), Includes: []Include{{"include_groups", true}, {"include_roles", true}}})
	r.add(&Kind{Objects: r.group, Model: groupModel, Label: "Group", Plural: "Groups", Path: "core/groups", Param: "group_uuid", Key: "pk", Schema: "Group",
		Tag: "core", Files: true, Verbs: []access.Verb{AddUserToGroup, RemoveUserFromGroup}, Filters: groupFilters(),
		Includes: []Include{{"include_children", false}, {"include_inherited_roles", false}, {"include_parents", false}, {"include_users", true}}})
	r.add(&Kind{Objects: r.role, Model: roleModel, Label: "Role", Plural: "Roles", Path: "rbac/roles", Param: "uuid", Key: "pk", Schema: "Role", Tag: "rbac",
		Files: true, Verbs: []access.Verb{AssignRole, UnassignRole}, Filters: roleFilters()})
	r.add(&Kind{Objects: r.token, Model: tokenModel, Label: "Token", Plural: "Tokens", Path: "core/tokens", Param: "identifier", Key: "identifier", Schema: "Token",
		Tag: "core", Files: true, AddOwn: true, Verbs: []access.Verb{ViewTokenKey, SetTokenKey}, Filters: tokenFilters()})
	r.add(&Kind{Objects: r.session, Model: sessionModel, Label: "Authenticated Session", Plural: "Authenticated Sessions", Path: "core/authenticated_sessions",
		Param: "uuid", Key: "uuid", Schema: "AuthenticatedSession", Tag: "core", Calls: List | Retrieve | Delete | UsedBy, Filters: sessionFilters()})
	r.add(&Kind{Objects: guesses(p), Model: guessModel, Label: "Guess Limit", Plural: "Guess Limits", Path: "guard/limits",
		Param: "id", Key: "pk", Schema: "GuessLimit", Tag: "guard", Calls: List | Retrieve | Delete, Filters: guessFilters()})
	r.add(&Kind{Objects: messages(p), Model: messageModel, Label: "Mail", Plural: "Mails", Path: "mail/messages", Param: "id", Key: "pk", Schema: "MailMessage",
		Tag: "mail", Calls: List | Retrieve | Delete, Verbs: []access.Verb{RetryMail}, Filters: messageFilters()})
	r.add(&Kind{Objects: r.event, Model: eventModel, Label: "Event", Plural: "Events", Path: "events/events", Param: "event_uuid",
		Key: "pk", Schema: "Event", Tag: "events", Calls: AllCalls &^ UsedBy, Filters: EventFilters()})
	r.add(&Kind{Objects: scores(p), Model: reputationModel, Label: "Reputation Score", Plural: "Reputation Scores", Path: "policies/reputation/scores",
		Param: "reputation_uuid", Key: "pk", Schema: "Reputation", Tag: "policies", Calls: List | Retrieve | Delete | UsedBy, Filters: scoreFilters()})
	r.add(&Kind{Objects: newInitialPermissions(r, p), Model: initialModel, Label: "Initial Permissions", Plural: "Initial Permissions", Path: "rbac/initial_permissions",
		Param: "id", Key: "pk", Schema: "InitialPermissions", Tag: "rbac", Files: true, Filters: []Filter{{Name: "name"}}})
	r.add(permissionKind(r))
	r.add(deviceTypeKind())
	r.declarePermissions()
	return r
}

// The permissions to change memberships.
const (
	AddUserToGroup      access.Verb = "add_user_to_group"
	RemoveUserFromGroup access.Verb = "remove_user_from_group"
	AssignRole          access.Verb = "assign_role_permissions"
	UnassignRole        access.Verb = "unassign_role_permissions"
)

// userSchema stands for whole users inside of other objects.
var userSchema = reflect.TypeFor[userData]()

// Owners tells what people may do with objects of their own, for package
// access. devices are the kinds of their devices.
func Owners(devices []authenticator.Kind) map[string]access.Owner {
	owned := func(sql string) access.Owner {
		return func(ctx context.Context, q store.Querier, p *identity.Person, _ access.Verb, id string) (bool, error) {
			var n int
			err := q.QueryRow(ctx, sql, id, p.ID).Scan(&n)
			return n > 0, err
		}
	}
	owners := map[string]access.Owner{
		"token":                owned("select count(*) from tokens where id = $1 and user_id = $2"),
		"notification":         owned("select count(*) from notifications where id = $1 and user_id = $2"),
		"userconsent":          ownConsent,
		"authenticatedsession": owned("select count(*) from sessions where uuid = $1 and user_id = $2"),
	}
	for _, k := range devices {
		kind := Kind{Model: strings.ToLower(k.Type().Model)}
		owners[kind.Name()] = ownDevice
	}
	return owners
}

// All returns all kinds, base classes included, in a fixed order.
func (r *Registry) All() []*Kind { return r.order }

func (r *Registry) add(k *Kind) {
	if k.Files || k.Has(Create) {
		k.Objects = granting{k.Objects, r}
	}
	r.kinds[modelKey(k.Model)] = k
	r.order = append(r.order, k)
}

func (r *Registry) addBase(k *Kind) {
	r.bases[modelKey(k.Model)] = k
	r.order = append(r.order, k)
}

// modelKey folds the model name; app labels are exact.
func modelKey(model string) string {
	app, name, _ := strings.Cut(model, ".")
	return app + "." + strings.ToLower(name)
}

// Models returns the names of all models whose objects files may hold, sorted.
func (r *Registry) Models() []string {
	models := make([]string, 0, len(r.kinds))
	for model, k := range r.kinds {
		if k.Files {
			models = append(models, model)
		}
	}
	slices.Sort(models)
	return models
}

// Kind returns a model whose objects files may hold. The error is an
// *UnknownModelError or a *MatchError.
func (r *Registry) Kind(model string) (*Kind, error) {
	k, ok := r.kinds[modelKey(model)]
	if ok && k.Files {
		return k, nil
	}
	if _, base := r.bases[modelKey(model)]; base {
		return nil, onlyFind(model)
	}
	if ok && k.Path != "" {
		return nil, never(model)
	}
	return nil, unknownModel(model)
}

// Base returns a model or base class for a look-up. The error is an
// *UnknownModelError.
func (r *Registry) Base(model string) (*Kind, error) {
	if k, ok := r.bases[modelKey(model)]; ok {
		return k, nil
	}
	if k, ok := r.kinds[modelKey(model)]; ok && k.Path != "" {
		return k, nil
	}
	return nil, unknownModel(model)
}

// Model returns the kind of any model that the registry has, nil for none.
func (r *Registry) Model(model string) *Kind {
	if k, ok := r.kinds[modelKey(model)]; ok {
		return k
	}
	return r.bases[modelKey(model)]
}

// UnknownModelError says that no kind goes by a name.
type UnknownModelError struct {
	Model string
	// Area names what the model belongs to when authentik has such a model but
	// Weir does not; empty for a name that means nothing.
	Area string
}

func (e *UnknownModelError) Error() string {
	if e.Area == "" {
		return "the model " + e.Model + " is not known"
	}
	return "the model " + e.Model + " belongs to " + e.Area + ", which Weir does not have"
}

// areas are the parts of authentik that are outside of Weir, by the beginning
// of their model names.
var areas = []struct{ prefix, area string }{
	{"authentik_sources_", "sources"},
	{"authentik_core.source", "sources"},
	{"authentik_core.usersourceconnection", "sources"},
	{"authentik_core.groupsourceconnection", "sources"},
	{"authentik_stages_source.", "sources"},
	{"authentik_providers_", "providers"},
	{"authentik_core.provider", "providers"},
	{"authentik_outposts.", "outposts"},
	{"authentik_enterprise", "enterprise features"},
	{"authentik_endpoints", "enterprise features"},
	{"authentik_stages_authenticator_endpoint_gdtc.", "enterprise features"},
	{"authentik_policies_unique_password.", "enterprise features"},
	{"authentik_tenants.", "tenants"},
}

func unknownModel(model string) error {
	key := modelKey(model)
	for _, a := range areas {
		if strings.HasPrefix(key, a.prefix) {
			return &UnknownModelError{model, a.area}
		}
	}
	return &UnknownModelError{Model: model}
}
