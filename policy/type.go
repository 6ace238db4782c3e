package policy

import "github.com/weir-id/weir/field"

// Type is a kind of policy: what it is called on the wire, how it is
// configured, and how a configuration becomes a Policy. A new type is one
// folder below internal/policies and one line in its list.
type Type struct {
	// Name is the wire name, which is also the API path: "expression".
	Name string
	// Model is the name in blueprints: "authentik_policies_expression.expressionpolicy".
	Model string
	// Component names the admin form: "ak-policy-expression-form".
	Component string
	// Label is the name for people: "Expression Policy".
	Label       string
	Description string
	// Filters are the fields that the API compares lists by, besides the name;
	// nil for all that can be compared, the id and the times.
	Filters []string

	defaults func() any
	build    func(name string, config any) (Policy, error)
}

// NewType declares a policy type. defaults returns a configuration with its
// default values (see package field for its tags); build makes the policy
// from a validated configuration and is called once for each stored version.
func NewType[C any](t Type, defaults func() C, build func(name string, config C) (Policy, error)) Type {
	t.defaults = func() any { c := defaults(); return &c }
	t.build = func(name string, config any) (Policy, error) { return build(name, *config.(*C)) }
	return t
}

// Defaults returns a pointer to a new configuration with default values.
func (t *Type) Defaults() any { return t.defaults() }

// Build makes the policy called name from a configuration that Defaults
// returned and that was decoded and validated.
func (t *Type) Build(name string, config any) (Policy, error) { return t.build(name, config) }

// Deriving is a configuration with read-only members in the API that follow
// from the others.
type Deriving interface {
	// Derived returns a pointer to a struct with json names.
	Derived() any
}

// Object is a stored policy: what all types have in common.
type Object struct {
	field.Identity
	Name string `json:"name" field:"required,unique"`
	// ExecutionLogging records an event for each evaluation.
	ExecutionLogging bool `json:"execution_logging"`

	// Type is the policy's type.
	Type *Type `json:"-"`
	// Config is what Type.Defaults returned, filled in.
	Config any `json:"-"`
	// Policy is the compiled policy; nil when Err is set.
	Policy Policy `json:"-"`
	// Err says why the stored configuration could not be built. Such a policy
	// evaluates to an error.
	Err error `json:"-"`
}
