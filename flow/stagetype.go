package flow

import (
	"context"
	"io/fs"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/policy"
)

// Stage is one verification or one step of logic, made from a stored
// configuration. Values in, values out: a stage sees no HTTP request and no
// SQL, and changes the world only through its Outcome. Its methods are called
// by many goroutines at once.
type Stage interface {
	// Challenge says what to ask (Ask), or resolves at once when there is
	// nothing to ask (Done, Skip, Deny, ...).
	Challenge(ctx context.Context, x *Exec) (Outcome, error)
	// Respond takes an answer. It must work without an earlier Challenge: a
	// client may answer the first stage straight away. A stage that resolves
	// without asking ignores the response.
	Respond(ctx context.Context, x *Exec, r Response) (Outcome, error)
}

// Plain makes a function that never asks anything a Stage: it acts alike on
// every request.
type Plain func(ctx context.Context, x *Exec) (Outcome, error)

// Challenge calls f.
func (f Plain) Challenge(ctx context.Context, x *Exec) (Outcome, error) { return f(ctx, x) }

// Respond calls f.
func (f Plain) Respond(ctx context.Context, x *Exec, _ Response) (Outcome, error) { return f(ctx, x) }

// Fact is something that an execution may know.
type Fact string

// The facts that stages need and establish.
const (
	// FactUser: a stored pending user is known (claimed, not proved).
	FactUser Fact = "user"
	// FactPassword: the pending user's password was verified, or a passkey that made
	// sure of its owner, which is password and second factor in one.
	FactPassword Fact = "password"
	// FactSecondFactor: a second factor of the pending user was verified.
	FactSecondFactor Fact = "second_factor"
	// FactMailbox: the pending user reads the mailbox.
	FactMailbox Fact = "mailbox"
	// FactCertificate: a certificate of the pending user's client was verified; in
	// an enrolment of whoever is to have the account.
	FactCertificate Fact = "certificate"
	// FactLogin: the pending user is attached to the session.
	FactLogin Fact = "login"
	// FactLogout: nobody is attached to the session.
	FactLogout Fact = "logout"
	// FactPerson: somebody is known whom the flow is about, the pending user or
	// the person of the session.
	FactPerson Fact = "person"
	// FactData: a form or an invitation has left values in the context.
	FactData Fact = "data"
	// FactWritten: an account was made or changed.
	FactWritten Fact = "written"
	// FactDeleted: the account was deleted.
	FactDeleted Fact = "deleted"
)

// Effects declare, for one configuration, what a stage relies on and what it
// establishes. The executor denies when a stage is done without its Always
// facts; missing Needs are findings of static analysis, never enforced.
type Effects struct {
	Needs     []Fact
	Always    []Fact
	Sometimes []Fact
	// Supplies are facts that hold afterwards although nothing proves them, such
	// as a claimed user. Only static analysis reads what follows.
	Supplies []Fact
	// Names tells that the stage says anew who the pending user is: what was
	// proved before was proved by somebody else.
	Names bool
	// Denies tells that nobody passes the stage.
	Denies bool
	// Leaves tells that people go elsewhere from here.
	Leaves bool
	// Unknown tells that the type declares nothing: it may do anything, and
	// proves nothing.
	Unknown bool
}

// StageType is a kind of stage: what it is called on the wire, how it is
// configured, what its pages look like, and how a configuration becomes a
// Stage. A new type is one folder below internal/stages and one line in its
// list; API endpoints, OpenAPI, blueprint model, form and metric label follow
// from this value.
type StageType struct {
	// Name is the wire name and metric label: "user_login".
	Name string
	// Path is the API path below /stages/: "user_login", "prompt/stages".
	Path string
	// Model is the name in blueprints: "authentik_stages_user_login.userloginstage".
	Model string
	// Component names the admin form: "ak-stage-user-login-form".
	Component string
	// Label is the name for people: "User Login Stage".
	Label       string
	Description string
	// Schema names the object in the API description; empty for Label without
	// its blanks.
	Schema string
	// Filters are the fields that the API compares lists by, "stage_uuid" for
	// the id and "no_flows" for stages that no flow has; nil for all that can be
	// compared, and the id.
	Filters []string
	// Permissions are those of the type besides view, add, change and delete.
	Permissions []string
	// Exchanges are the challenges of the type, for API descriptions.
	Exchanges []Exchange
	// Pages holds the page template of each challenge component of the type,
	// named "<component>.html"; nil for types that never ask.
	Pages fs.FS
	// SettingsComponent is the user-settings panel of a configurable stage.
	SettingsComponent string

	defaults func() any
	build    func(name string, config any) (Stage, error)
	effects  func(config any) Effects
}

// NewStageType declares a stage type. defaults returns a configuration with
// its default values (tags: package field); effects declares what a
// configuration needs and establishes, nil when that is unknown; build makes the stage called name from
// a validated configuration, once for each stored version.
func NewStageType[C any](t StageType, defaults func() C, effects func(C) Effects, build func(name string, c C) Stage) StageType {
	t.defaults = func() any { c := defaults(); return &c }
	t.effects = func(config any) Effects {
		if effects == nil {
			return Effects{Unknown: true}
		}
		return effects(*config.(*C))
	}
	t.build = func(name string, config any) (Stage, error) { return build(name, *config.(*C)), nil }
	return t
}

// Defaults returns a pointer to a new configuration with default values.
func (t *StageType) Defaults() any { return t.defaults() }

// Build makes the stage from a configuration that Defaults returned and that
// was decoded and validated.
func (t *StageType) Build(name string, config any) (Stage, error) { return t.build(name, config) }

// Effects declares what the configuration needs and establishes.
func (t *StageType) Effects(config any) Effects { return t.effects(config) }

// StageObject is a stored stage: what all types have in common.
type StageObject struct {
	field.Identity
	// Name is unique over all stages of all types.
	Name string `json:"name" field:"required,unique"`

	Type *StageType `json:"-"`
	// Config is what Type.Defaults returned, filled in.
	Config any `json:"-"`
	// Stage is the running stage; nil when Err is set.
	Stage Stage `json:"-"`
	// Err says why the stored configuration could not be built. Such a stage
	// denies.
	Err error `json:"-"`
}

// Catalog is one immutable view of the configuration.
type Catalog interface {
	policy.Source

	// Flow and FlowBySlug return a flow.
	Flow(id uuid.UUID) (*Flow, bool)
	FlowBySlug(slug string) (*Flow, bool)
	// FlowsFor returns the flows of a designation in the order of their slugs.
	FlowsFor(d Designation) []*Flow
	// Bindings returns a flow's bindings by order, then creation.
	Bindings(flow uuid.UUID) []*Binding
	// Binding and Stage return the current version of an object.
	Binding(id uuid.UUID) (*Binding, bool)
	Stage(id uuid.UUID) (*StageObject, bool)
	// Document returns an object that only some stage type knows, such as a
	// field of a form; nobody else asks for it.
	Document(id uuid.UUID) (any, bool)
	// StageType returns a type by wire name.
	StageType(name string) (*StageType, bool)
	// PinnedBinding and PinnedStage return the version that a plan has
	// pinned, from memory when it is the current one. They fail when the
	// object has been deleted since.
	PinnedBinding(ctx context.Context, id uuid.UUID, version int64) (*Binding, error)
	PinnedStage(ctx context.Context, id uuid.UUID, version int64) (*StageObject, error)
	// BrandFor returns the brand of a host: the longest matching domain, else
	// the default brand, else a built-in one with domain "fallback".
	BrandFor(host string) *Brand
}
