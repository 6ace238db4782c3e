// Package policy decides. A Policy judges a Request and passes, fails or
// errs; bindings attach policies, groups and users to a target (a flow, a
// stage binding); the Engine combines the results of a target's bindings.
//
// The package knows no policy type, no storage and no HTTP. It depends only on
// packages identity and field.
package policy

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Verdict is the outcome of a policy. The zero value is Error, so that a
// result nobody filled in denies.
type Verdict int

const (
	// Error means that no verdict was reached: an exception, a timeout,
	// missing look-up data. It denies wherever a decision is made.
	Error Verdict = iota
	Fail
	Pass
)

func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	}
	return "error"
}

// Result is what a policy or an engine run decided.
type Result struct {
	Verdict Verdict
	// Messages are texts for the person, in order, duplicates kept.
	Messages []string
	// Raw is the value that an expression returned; nil otherwise.
	Raw any
	// Err is the cause of an Error verdict, for the log and the inspector; it
	// is never shown to the person.
	Err error
	// Writes are the changes to the plan that the policy asks for.
	Writes Writes
	// Events are to be recorded once the policy has passed or failed.
	Events []Event
	// Mails are to be sent once the policy has passed or failed.
	Mails []Mail
	// Effects are to be carried out once the policy has passed or failed, by
	// whoever acts on the result: never where a policy is only tried out.
	Effects []Effect
	// Logs are what an expression has logged, also before an error.
	Logs []LogLine
	// Took is how long the policy took; zero for a combination.
	Took time.Duration
	// Binding produced the result; nil for a policy that ran on its own.
	Binding *Binding
	// Sources are the results that were combined into this one.
	Sources []Result
}

// Passing tells whether the verdict is Pass.
func (r Result) Passing() bool { return r.Verdict == Pass }

// Event is an audit event that a policy asks for.
type Event struct {
	// Action is the action on the wire, such as "custom_something" or
	// "policy_exception".
	Action string
	// App names the origin: the policy's name for events of expressions.
	App     string
	Context map[string]any
}

// Mail is a message that a policy asks for.
type Mail struct {
	// To, Cc and Bcc are addresses; To is not empty.
	To, Cc, Bcc []string
	Subject     string
	// Body is the plain text; empty where Template names a template, which is
	// filled in with Context.
	Body     string
	Template string
	Context  map[string]any
}

// Effect is something that a policy asks to be done to a person. Policies
// change nothing themselves while they judge.
type Effect struct {
	Act Act
	// Person is whom it is done to, as the policy saw them: what has changed
	// meanwhile stays as it is.
	Person *identity.Person
	// Event is recorded when the effect changed something.
	Event Event
}

// Act is what an Effect does.
type Act string

// EndPassword makes the password of the person unusable.
const EndPassword Act = "end_password"

// LogLine is one call of a logger by an expression.
type LogLine struct {
	// Level is debug, info, warning, error or critical.
	Level string
	Text  string
	// Attrs are the keyword arguments as text.
	Attrs map[string]string
}

// Writes are changes to the plan that a policy asks for. They are applied in
// binding order after pass or fail and dropped on error.
type Writes struct {
	// Set holds top-level keys of the plan context with their new values.
	Set map[string]any
	// Delete lists top-level keys of the plan context to remove.
	Delete []string
	// Redirect, when not nil, replaces the rest of the plan by a redirect
	// to the URL.
	Redirect *string
}

// Empty tells whether nothing is to be written.
func (w Writes) Empty() bool { return len(w.Set) == 0 && len(w.Delete) == 0 && w.Redirect == nil }

// HTTPRequest is what a policy may see of the request. Forwarding and identity
// headers are already removed unless the peer is a trusted proxy (rule 29 of
// the security rules), session and CSRF cookies always.
type HTTPRequest struct {
	ID     string
	Method string
	Path   string
	Host   string
	Secure bool
	// Query is the query of the page that the person sees: inside flows the
	// decoded inner query of the executor URL.
	Query    url.Values
	Header   map[string][]string
	Cookies  map[string]string
	ClientIP netip.Addr
	// Located tells what is known of where ClientIP is: KeyGeoIP and KeyASN, each
	// an object, or nil where the address is not known, and only those for which
	// there is a database. It looks the address up once. Nil without databases.
	Located func() map[string]any
	// Certificates are those that the client has shown, its own first, which
	// nobody has verified. It reads them once. Nil where there can be none.
	Certificates func() []*x509.Certificate
	// Outpost is the account of the outpost that made the request, and so tells
	// the certificates; nil for a request of anybody else.
	Outpost *identity.Person
}

// The keys that a request adds to the context of each evaluation.
const (
	// KeyGeoIP is where the client is: continent, country, lat, long, city.
	KeyGeoIP = "geoip"
	// KeyASN is who announces its address: asn, as_org, network.
	KeyASN = "asn"
)

// Locate tells what is known of where the client of the request is, as Located
// does; nothing where there is no request.
func (h *HTTPRequest) Locate() map[string]any {
	if h == nil || h.Located == nil {
		return nil
	}
	return h.Located()
}

// Target is what bindings are attached to.
type Target struct {
	// Kind is "flow" or "binding" (later also "application" and others).
	Kind string
	ID   uuid.UUID
	// Name is for logs and events.
	Name string
	Mode Mode
}

// Request is what a policy judges.
type Request struct {
	// User is the person whom the decision is about; never nil.
	User *identity.Person
	// HTTP is nil when no request led here.
	HTTP *HTTPRequest
	// Target is nil in the test endpoint.
	Target *Target
	// Context is this evaluation's own copy of the top level of the plan
	// context, with the keys that the caller and the HTTP request added. Nested
	// values are shared and must not be changed; changes travel as Writes.
	Context map[string]any
	// Plan is the plan being run; nil outside flows.
	Plan Plan
	// Debug is set by the test endpoint only.
	Debug bool
	// Depth counts policies that call policies.
	Depth int
}

// Entered is the text that the person has entered in a field of a prompt, else
// the value of that name in the context; empty when there is neither.
func (r *Request) Entered(name string) string {
	prompt, _ := r.Context["prompt_data"].(map[string]any)
	v := prompt[name]
	if v == nil {
		v = r.Context[name]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// Plan is what policies may see of the running plan.
type Plan interface {
	// FlowID is the flow's id.
	FlowID() uuid.UUID
	// PlanContext is the plan's context; not to be changed.
	PlanContext() map[string]any
	// StageNames are the stages still ahead, the current one first.
	StageNames() []string
}

// Policy judges requests. Evaluate is called by many goroutines at once. An
// error it returns becomes an Error verdict.
type Policy interface {
	Evaluate(ctx context.Context, r *Request) (Result, error)
}

// Bounded is a Policy that returns soon after its context has ended, whatever
// it is configured to do and whoever wrote its configuration. It is asked
// where the engine stands; every other policy is asked in a goroutine of its
// own, so that it can be cut off.
type Bounded interface {
	Policy
	// Bounded does nothing: it is the promise.
	Bounded()
}

// Func makes a function a Policy.
type Func func(ctx context.Context, r *Request) (Result, error)

// Evaluate calls f.
func (f Func) Evaluate(ctx context.Context, r *Request) (Result, error) { return f(ctx, r) }
