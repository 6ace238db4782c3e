package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
)

// Tx is the one write transaction of a step. Stages hand it on to the
// interfaces they were given; only the store knows what is inside.
type Tx interface{ FlowTx() }

type outcomeKind int

const (
	invalid outcomeKind = iota // the zero Outcome denies
	ask
	askAgain
	done
	skipped
	switchFlow
)

// Outcome is what a stage decided. Make one with Ask, AskAgain, Done, Skip,
// Deny or SwitchFlow. The zero value denies.
type Outcome struct {
	kind      outcomeKind
	challenge Challenge
	errors    field.Errors
	message   string
	flow      uuid.UUID
	keep      bool

	// Proofs are facts that this answer proved.
	Proofs []Proof
	// Login attaches a user to the session, under a new session id.
	Login *Login
	// Logout ends the session.
	Logout bool
	// Events are recorded with the step.
	Events []Event
	// Cookies are set on the answer.
	Cookies []Cookie
	// Apply changes the world, in the step's transaction. It runs at most
	// once, and only if nobody else took the step first; also with an answer that
	// is refused. A *Refusal that it returns undoes the step and ends the flow as
	// Deny would.
	Apply func(ctx context.Context, tx Tx) error
}

// Ask shows a challenge.
func Ask(c Challenge) Outcome { return Outcome{kind: ask, challenge: c} }

// AskAgain refuses a response: the challenge is made anew and shown with the
// errors, unless the binding asks for a restart.
func AskAgain(errs field.Errors) Outcome { return Outcome{kind: askAgain, errors: errs} }

// Done ends the stage: what it is for has been established.
func Done() Outcome { return Outcome{kind: done} }

// Skip ends the stage without establishing anything.
func Skip() Outcome { return Outcome{kind: skipped} }

// Deny ends the flow with access denied and a message for the person; an
// empty message is shown as "Unknown error" on the wire. A binding with a
// restart action restarts the flow instead.
func Deny(message string) Outcome { return Outcome{kind: invalid, message: message} }

// SwitchFlow ends this flow and starts another, with this one's context or
// none. The new plan knows where it came from (context key is_redirected).
func SwitchFlow(target uuid.UUID, keepContext bool) Outcome {
	return Outcome{kind: switchFlow, flow: target, keep: keepContext}
}

// Refusal is a known failure that only the transaction can see, such as a name
// that somebody else took a moment ago.
type Refusal struct {
	// Message is for the person.
	Message string
	// Err is the cause, for the log.
	Err error
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused: %v", r.Err) }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Prove adds proofs to an outcome.
func (o Outcome) Prove(p ...Proof) Outcome {
	o.Proofs = append(o.Proofs, p...)
	return o
}

// Record adds events to an outcome.
func (o Outcome) Record(e ...Event) Outcome {
	o.Events = append(o.Events, e...)
	return o
}

// acts tells whether carrying out the outcome changes more than the plan.
func (o *Outcome) acts() bool { return o.Login != nil || o.Logout || o.Apply != nil }

// Proof is a fact that this execution established, and how.
type Proof struct {
	Fact Fact `json:"fact"`
	// User is whom it is about.
	User int64 `json:"user"`
	// Channel is the back end, mailbox or phone it came through.
	Channel string `json:"channel,omitempty"`
	// Authenticator is the device's id where there is one.
	Authenticator string `json:"authenticator,omitempty"`
	// Methods are the authentication method references of RFC 8176 that it stands for.
	Methods []string  `json:"amr,omitempty"`
	At      time.Time `json:"at"`
}

// Login attaches a user to the session.
type Login struct {
	User *identity.Person
	// Backend, Method and MethodArgs are kept with the session and its event.
	Backend    string
	Method     string
	MethodArgs map[string]any
	// Expires ends the session on the server; zero for a browser-length
	// session, which ends with the browser and after 24 h idle.
	Expires time.Time
	// TerminateOthers ends all other sessions of the user.
	TerminateOthers bool
	// NetworkBinding and GeoIPBinding tie the session to where it was made;
	// values of the user_login stage, empty for none.
	NetworkBinding string
	GeoIPBinding   string
}

// Event is an audit event, recorded in the step's transaction.
type Event struct {
	// Action is the action on the wire: "login", "login_failed", ...
	Action string
	// App is the origin; empty for the part of the program that events of the
	// action come from.
	App     string
	Context map[string]any
	// User is whom the event is about; nil for the person of the request or,
	// inside a flow, the pending user.
	User *identity.Person
}

// Cookie is a value for the browser. The web layer seals nothing: Value must
// be safe to hand out.
type Cookie struct {
	Name  string
	Value string
	// MaxAge is how long the browser keeps it; 0 for a browser-length cookie,
	// negative to remove it.
	MaxAge time.Duration
}
