package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/stages/consent"
	"github.com/weir-id/weir/policy"
)

// office takes the letters and keeps the accounts.
type office struct {
	*flowtest.World
	letters []*Letter
	// broken is the error of a template, fails that of sending.
	broken, fails error
	b             *flowtest.Browser
}

func (o *office) Write(_ context.Context, l *Letter) (Sendable, error) {
	if errors.Is(o.fails, mail.ErrNotConfigured) {
		return nil, o.fails
	}
	return sealed{o, l}, o.broken
}

type sealed struct {
	o *office
	l *Letter
}

func (s sealed) Send(context.Context, flow.Tx) error {
	s.o.letters = append(s.o.letters, s.l)
	return s.o.fails
}

func (o *office) WriteUser(_ context.Context, _ flow.Tx, u identity.User, c directory.Change) (identity.User, error) {
	c.Edit(&u)
	o.People[u.ID].User = u
	return u, nil
}

// newOffice is a flow of one e-mail stage; set is in its plan.
func newOffice(t *testing.T, d flow.Designation, config func(*Config), set map[string]any) *office {
	o := &office{}
	o.World = flowtest.New(t, Type(o, o), consent.Type(consent.Env{Key: []byte("key")}))
	o.People.Add(identity.User{ID: 7, Username: "ann", Name: "Ann", Email: "ann@example.com", Active: false})
	f := o.AddFlow("f", func(f *flow.Flow) { f.Designation = d })
	c := defaults()
	if config != nil {
		config(&c)
	}
	o.Bind(f, o.AddStage("email", "mail", &c), nil)
	o.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	}), nil)
	o.Executor.Restore = func(_ context.Context, key string) (*flow.Restored, error) {
		var n int
		if _, err := fmt.Sscanf(key, "link %d", &n); err != nil || n >= len(o.letters) {
			return nil, nil
		}
		l := o.letters[n]
		return &flow.Restored{ID: uuid.New(), User: l.Person.ID, Purpose: string(l.Token.Purpose), Plan: l.Token.Plan}, nil
	}
	o.Executor.Consume = map[string]func(context.Context, flow.Tx, uuid.UUID) error{
		flow.ConsumeFlowToken: func(context.Context, flow.Tx, uuid.UUID) error { return nil },
	}
	o.b = o.NewBrowser()
	return o
}

// arrive walks the link of a letter in another browser.
func (o *office) arrive(t *testing.T, n int) *flow.Result {
	t.Helper()
	b, query := o.NewBrowser(), fmt.Sprintf("flow_token=link+%d", n)
	gate, ok := b.Get(t, "f", query).Challenge.Body.(*consent.Challenge)
	if !ok || !gate.Mailed || gate.HeaderText == "" {
		t.Fatalf("behind the link is %+v", gate)
	}
	return b.Answer(t, "f", query, map[string]any{"token": gate.Token})
}

func pending(p *identity.Person) map[string]any { return map[string]any{"pending_user": p} }

func ann() *identity.Person {
	return identity.NewPerson(identity.User{ID: 7, Username: "ann", Name: "Ann", Email: "ann@example.com"}, nil)
}

func TestSituations(t *testing.T) {
	limited := func(k guard.Kind) error { return &guard.LimitedError{Kind: k, Wait: 61 * time.Second} }
	for _, row := range []struct {
		name  string
		of    flow.Designation
		set   map[string]any
		fails error
		// want is the result, letters to whom they are, "-" for nobody.
		want, letters string
		state         State
	}{
		{"a mail is sent", flow.Enrollment, pending(ann()), nil, "ak-stage-email", "ann@example.com", State{}},
		{"nobody", flow.Enrollment, nil, nil, "denied: " + msgNobody, "", State{}},
		{"to the address of the plan", flow.Enrollment, map[string]any{"pending_user": ann(), "email": "else@example.com"}, nil, "ak-stage-email", "else@example.com", State{}},
		{"the plan says that it was sent", flow.Enrollment, map[string]any{"pending_user": ann(), "email_sent": true}, nil, "ak-stage-email", "", State{}},
		{"no address", flow.Enrollment, pending(identity.NewPerson(identity.User{ID: 7, Username: "ann"}, nil)), nil, "ak-stage-email", "", State{Problem: noAddress}},
		{"no address in recovery", flow.Recovery, pending(identity.NewPerson(identity.User{ID: 8, Username: "bob"}, nil)), nil, "ak-stage-email", "-", State{}},
		{"a name of nobody in recovery", flow.Recovery, pending(identity.NewPerson(identity.User{Username: "ghost"}, nil)), nil, "ak-stage-email", "-", State{}},
		{"Rule20: a service account in recovery", flow.Recovery, pending(identity.NewPerson(identity.User{ID: 9, Username: "robot", Email: "r@example.com", Type: identity.ServiceAccount}, nil)), nil, "ak-stage-email", "-", State{}},
		{"a login by a name alone that nobody has", flow.Authentication, pending(identity.NewPerson(identity.User{Username: "ghost"}, nil)), nil, "ak-stage-email", "-", State{}},
		{"such a login without an address", flow.Authentication, pending(identity.NewPerson(identity.User{ID: 8, Username: "bob"}, nil)), nil, "ak-stage-email", "-", State{}},
		{"such a login with too many mails", flow.Authentication, pending(ann()), limited(guard.MailAccount), "ak-stage-email", "ann@example.com", State{}},
		{"after a password, without an address", flow.Authentication, pending(identity.NewPerson(identity.User{ID: 8, Username: "bob"}, nil).WithBackend("internal")), nil, "ak-stage-email", "", State{Problem: noAddress}},
		{"no mail server", flow.Enrollment, pending(ann()), mail.ErrNotConfigured, "ak-stage-email", "", State{Problem: noServer}},
		{"no mail server in recovery", flow.Recovery, pending(ann()), mail.ErrNotConfigured, "ak-stage-email", "", State{Problem: noServer}},
		{"a full outbox", flow.Enrollment, pending(ann()), mail.ErrFull, "ak-stage-email", "ann@example.com", State{Problem: notNow}},
		{"a full outbox in recovery", flow.Recovery, pending(ann()), mail.ErrFull, "ak-stage-email", "ann@example.com", State{}},
		{"too many to the account", flow.Enrollment, pending(ann()), limited(guard.MailAccount), "ak-stage-email", "ann@example.com", State{Wait: 2}},
		{"too many to the account in recovery", flow.Recovery, pending(ann()), limited(guard.MailAccount), "ak-stage-email", "ann@example.com", State{}},
		{"too many from the client in recovery", flow.Recovery, pending(ann()), limited(guard.MailClient), "ak-stage-email", "ann@example.com", State{Wait: 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOffice(t, row.of, nil, row.set)
			for id, name := range map[int64]string{8: "bob", 9: "robot"} {
				o.People.Add(identity.User{ID: id, Username: name, Active: true, Type: map[int64]identity.UserType{8: identity.Internal, 9: identity.ServiceAccount}[id]})
			}
			if p, _ := row.set["pending_user"].(*identity.Person); p != nil && p.ID != 0 {
				o.People[p.ID] = p
			}
			o.fails = row.fails
			r := o.b.Get(t, "f", "")
			if got := flowtest.Describe(r); got != row.want {
				t.Fatalf("%s, want %s", got, row.want)
			}
			if c, ok := r.Challenge.Body.(*Challenge); ok && (c.State != row.state || c.Secret != (row.of == flow.Recovery || row.of == flow.Authentication && row.state.Problem == "")) {
				t.Errorf("the page knows %+v, want %+v", c.State, row.state)
			}
			var to []string
			for _, l := range o.letters {
				to = append(to, cmp.Or(l.To, "-"))
			}
			if got := strings.Join(to, " "); got != row.letters {
				t.Errorf("letters to %q, want %q", got, row.letters)
			}
			// Looking at the page once more sends nothing.
			again := o.b.Get(t, "f", "")
			if len(o.letters) > len(to) {
				t.Error("one more letter")
			}
			if c, ok := again.Challenge.Body.(*Challenge); ok && row.letters == "" && c.State != row.state {
				t.Errorf("the page then knows %+v, want %+v", c.State, row.state)
			}
		})
	}
}

func TestALetter(t *testing.T) {
	o := newOffice(t, flow.Enrollment, func(c *Config) { c.TokenExpiry, c.RecoveryMaxAttempts = "hours=2", 3 }, pending(ann()))
	o.b.Get(t, "f", "next=%2Fhome&flow_token=former")
	l := o.letters[0]
	if l.Query.Encode() != "next=%2Fhome" || l.Again || l.Subject != "" || l.Via != nil && l.Via.Host != "localhost" || l.Purpose != mail.Confirmation {
		t.Errorf("letter %+v", l)
	}
	if want := o.Time.Add(2*time.Hour + time.Minute); !l.Token.Expires.Equal(want) {
		t.Errorf("the link ends at %s, want %s", l.Token.Expires, want)
	}
	// Whatever is answered asks for another one, and ends nothing.
	for _, code := range []string{"email-sent", "email-limited"} {
		r := o.b.Post(t, "f", "", map[string]any{})
		if !r.Rejected || r.Challenge.Component != "ak-stage-email" || r.Challenge.Errors["non_field_errors"][0].Code != code {
			t.Fatalf("%s: %+v", code, r.Challenge)
		}
		if l := o.letters[len(o.letters)-1]; !l.Again || l.Most != 3 || l.Within != 5*time.Minute || l.Name != "ann" {
			t.Errorf("the letter asked for is %+v", l)
		}
		o.fails = &guard.LimitedError{Kind: guard.MailAgain, Wait: time.Minute}
	}
}

func TestComingBack(t *testing.T) {
	activate := func(c *Config) { c.ActivateUserOnSuccess = true }
	for _, row := range []struct {
		name   string
		of     flow.Designation
		config func(*Config)
		change func(o *office)
		want   string
		active bool
	}{
		{"the flow goes on", flow.Enrollment, nil, nil, "redirect / final", false},
		{"the account becomes active", flow.Enrollment, activate, nil, "redirect / final", true},
		{"Rule24: a recovery activates nobody", flow.Recovery, activate, nil, "redirect / final", false},
		{"Rule24: nor does a login", flow.Authentication, activate, nil, "redirect / final", false},
		{"Rule19: another address since", flow.Enrollment, activate, func(o *office) { o.People[7].Email = "new@example.com" }, "denied: " + msgChanged, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOffice(t, row.of, row.config, pending(ann()))
			o.b.Get(t, "f", "")
			if row.change != nil {
				row.change(o)
			}
			if got := flowtest.Describe(o.arrive(t, 0)); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if o.People[7].Active != row.active {
				t.Errorf("active: %v", o.People[7].Active)
			}
		})
	}
}

func TestABrokenTemplateIsTold(t *testing.T) {
	o := newOffice(t, flow.Enrollment, nil, pending(ann()))
	o.broken = errors.New("line 3: what is this")
	if got := flowtest.Describe(o.b.Get(t, "f", "")); got != "denied: "+msgBroken {
		t.Error(got)
	}
	if events := strings.Join(o.Store.Events(), "\n"); !strings.Contains(events, "configuration_error") {
		t.Errorf("events %s", events)
	}
}
