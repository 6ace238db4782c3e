package flow

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Trace is what one step of an execution did.
type Trace struct {
	At       time.Time     `json:"at"`
	Stage    string        `json:"stage,omitempty"`
	Type     string        `json:"type,omitempty"`
	Answer   bool          `json:"answer"`
	Outcome  string        `json:"outcome"`
	Policies []PolicyTrace `json:"policies,omitempty"`
	Message  string        `json:"message,omitempty"`
	// Seen is there when whoever took the step may inspect the flow.
	Seen *Seen `json:"seen,omitempty"`
}

// Seen is what a step began with.
type Seen struct {
	// Binding is that of the current stage, Next that of the stage behind it; zero
	// for stages that exist only in the plan, and for none.
	Binding uuid.UUID `json:"binding,omitzero"`
	Next    uuid.UUID `json:"next,omitzero"`
	// Context is that of the plan, with the people in it.
	Context map[string]any `json:"context"`
}

// PolicyTrace is what the policies of one target decided together.
type PolicyTrace struct {
	Target   string   `json:"target"`
	Verdict  string   `json:"verdict"`
	Messages []string `json:"messages,omitempty"`
	Error    string   `json:"error,omitempty"`
	// Policies are what each of them decided.
	Policies []PolicyVerdict `json:"policies,omitempty"`
	// Saw is what they were asked with, when whoever took the step may inspect the
	// flow.
	Saw *Saw `json:"saw,omitempty"`
}

// PolicyVerdict is what one binding decided; negated and with failures replaced as the
// binding says.
type PolicyVerdict struct {
	// Policy is zero for groups and users, which count as one.
	Policy   uuid.UUID     `json:"policy,omitzero"`
	Name     string        `json:"name"`
	Verdict  string        `json:"verdict"`
	Messages []string      `json:"messages,omitempty"`
	Error    string        `json:"error,omitempty"`
	Took     time.Duration `json:"took_ns"`
}

// Saw is what the policies of a target could see.
type Saw struct {
	UserID  int64          `json:"user,omitempty"`
	Context map[string]any `json:"context"`
	HTTP    *SeenRequest   `json:"http,omitempty"`
}

// SeenRequest is the HTTP request that a policy saw, without its cookies and without
// what would let somebody repeat it.
type SeenRequest struct {
	Method string              `json:"method"`
	Path   string              `json:"path"`
	Host   string              `json:"host"`
	Secure bool                `json:"secure"`
	Query  map[string][]string `json:"query,omitempty"`
	Header map[string][]string `json:"header,omitempty"`
	IP     string              `json:"ip,omitempty"`
}

// note adds what policies decided to the trace.
func (r *run) note(asked []PolicyTrace) {
	for i := range asked {
		t := &asked[i]
		if t.Error != "" {
			t.Error = r.untyped(t.Error)
		}
		for j := range t.Policies {
			if p := &t.Policies[j]; p.Error != "" {
				p.Error = r.untyped(p.Error)
			}
		}
	}
	if r.trace.Policies == nil {
		r.trace.Policies = asked
		return
	}
	r.trace.Policies = append(r.trace.Policies, asked...)
}

// traced is what the policies of a target decided, for the trace.
func (p *planner) traced(target string, result policy.Result) PolicyTrace {
	t := PolicyTrace{Target: target, Verdict: result.Verdict.String(), Messages: result.Messages}
	if result.Err != nil {
		t.Error = result.Err.Error()
	}
	t.Policies = make([]PolicyVerdict, 0, len(result.Sources))
	for _, s := range result.Sources {
		v := PolicyVerdict{Name: "groups and users", Verdict: s.Verdict.String(), Messages: s.Messages, Took: s.Took}
		if s.Binding != nil && s.Binding.Policy != nil {
			v.Policy, v.Name = *s.Binding.Policy, s.Binding.Policy.String()
			if o, ok := p.cat.Policy(v.Policy); ok {
				v.Name = o.Name
			}
		}
		if s.Err != nil {
			v.Error = s.Err.Error()
		}
		t.Policies = append(t.Policies, v)
	}
	return t
}

// keep adds what the policies of a target decided, if there are any.
func (p *planner) keep(target string, result policy.Result, saw *Saw) {
	if len(result.Sources) > 0 {
		if p.asked == nil {
			p.asked = make([]PolicyTrace, 0, p.targets+1)
		}
		t := p.traced(target, result)
		t.Saw = saw
		p.asked = append(p.asked, t)
	}
}

// saw is what policies are about to see, when it is to be kept.
func (p *planner) saw(user *identity.Person, view *planView) *Saw {
	if !p.inspected {
		return nil
	}
	s := &Saw{UserID: user.ID, Context: view.policyContext()}
	delete(s.Context, "flow_plan")
	if h := p.req.HTTP; h != nil {
		s.HTTP = &SeenRequest{Method: h.Method, Path: h.Path, Host: h.Host, Secure: h.Secure, Query: map[string][]string{}, Header: h.Header}
		if h.ClientIP.IsValid() {
			s.HTTP.IP = h.ClientIP.String()
		}
		for name, values := range h.Query {
			if !secretParams[name] {
				s.HTTP.Query[name] = values
			}
		}
	}
	return s
}

// secretParams are the parameters that let people in.
var secretParams = map[string]bool{ParamFlowToken: true, "itoken": true, "token": true}

// inspects tells whether whoever takes the step, in a session of their own, may inspect
// the flow: then the trace holds what the step and its policies saw.
func (r *run) inspects(ctx context.Context) bool {
	if r.inspected == nil {
		may := r.e.Inspect != nil && r.req.User.Saved() && r.req.User.ID == r.req.Session.UserID && r.req.User.Impersonator == nil && r.e.Inspect(ctx, r.req.User, r.req.Flow)
		r.inspected = &may
	}
	return *r.inspected
}

// look keeps what the step begins with.
func (r *run) look(ctx context.Context) {
	if r.plan == nil || !r.inspects(ctx) {
		return
	}
	view, err := newPlanView(ctx, r.cat, r.people, r.plan, r.req)
	if err != nil {
		return // somebody is gone, which the step itself will tell
	}
	s := &Seen{Context: view.values}
	if e := r.plan.Entries; len(e) > 0 {
		s.Binding = e[0].Binding
		if len(e) > 1 {
			s.Next = e[1].Binding
		}
	}
	r.trace.Seen = s
}
