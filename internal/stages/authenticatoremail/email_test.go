package authenticatoremail

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/policy"
)

const again = "ak-stage-authenticator-email"

// office takes the letters and keeps the devices of ann, who is user 7.
type office struct {
	*flowtest.World
	letters []*Letter
	devices []authenticator.Device
	// broken is the error of a template, fails that of queueing.
	broken, fails error
	stage         *flow.StageObject
	b             *flowtest.Browser
}

func (o *office) Write(_ context.Context, l *Letter) (func(context.Context, flow.Tx) error, error) {
	if o.broken != nil {
		return nil, o.broken
	}
	return func(context.Context, flow.Tx) error {
		if o.fails == nil {
			o.letters = append(o.letters, l)
		}
		return o.fails
	}, nil
}

func (o *office) Confirmed(_ context.Context, user int64) ([]authenticator.Device, error) {
	return slices.DeleteFunc(slices.Clone(o.devices), func(d authenticator.Device) bool { return d.User != user }), nil
}

func (o *office) Enrol(out flow.Outcome, _ authenticator.Type, d *authenticator.Device) flow.Outcome {
	out.Apply = func(context.Context, flow.Tx) error {
		o.devices = append(o.devices, *d)
		return nil
	}
	return out
}

func (o *office) Change(_ context.Context, _ flow.Tx, id int64, change func(*authenticator.Device) error) error {
	for i := range o.devices {
		if o.devices[i].ID == id {
			return change(&o.devices[i])
		}
	}
	return authenticator.ErrGone
}

// newOffice is a flow of one stage; set is in its plan.
func newOffice(t *testing.T, set map[string]any) *office {
	o := &office{}
	o.World = flowtest.New(t, Type(o, o))
	o.People.Add(identity.User{ID: 7, Username: "ann", Name: "Ann", Email: "ann@example.com", Active: true})
	o.People.Add(identity.User{ID: 8, Username: "bob", Active: true})
	f := o.AddFlow("f", nil)
	c := defaults()
	o.stage = o.AddStage("authenticator_email", "codes", &c)
	o.Bind(f, o.stage, nil)
	o.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	}), nil)
	o.b = o.NewBrowser()
	return o
}

func (o *office) own(t *testing.T, user int64, address string, stage uuid.UUID) *authenticator.Device {
	t.Helper()
	d := authenticator.Device{ID: int64(len(o.devices) + 1), User: user, Class: "email", Stage: stage, Confirmed: true}
	if err := d.Write(authenticator.Receiver{To: address}); err != nil {
		t.Fatal(err)
	}
	o.devices = append(o.devices, d)
	return &o.devices[len(o.devices)-1]
}

func (o *office) code() string { return o.letters[len(o.letters)-1].Code }

func pending(id int64, data map[string]any) map[string]any {
	set := map[string]any{"pending_user": identity.NewPerson(identity.User{ID: id, Username: "x"}, nil)}
	if data != nil {
		set["prompt_data"] = data
	}
	return set
}

// shown is what a page shows: the masked address, or "?".
func shown(r *flow.Result) string {
	c, ok := r.Challenge.Body.(*Challenge)
	switch {
	case !ok:
		return flowtest.Describe(r)
	case c.Required != (c.Email == nil):
		return "contradiction"
	case c.Required:
		return "?"
	}
	return c.Target()
}

func problem(r *flow.Result) string {
	var all []string
	for name, list := range r.Challenge.Errors {
		all = append(all, name+" "+list[0].Message)
	}
	return strings.Join(all, ", ")
}

func TestSettingUp(t *testing.T) {
	prompted := map[string]any{"email": "other@example.org"}
	limited := &guard.LimitedError{Kind: guard.MailAddress, Wait: 61 * time.Second}
	const sent = "non_field_errors " + authenticator.TextAgain
	for _, row := range []struct {
		name  string
		set   map[string]any
		setup func(t *testing.T, o *office)
		// answer comes after a look at the page; nil for none.
		answer map[string]any
		// shown is the page at the end, letters to whom mails went.
		shown, problem, letters string
	}{
		{"the address of the account", pending(7, nil), nil, nil, "a***@e***.com", "", "ann@example.com"},
		{"which comes before that of the plan", pending(7, prompted), nil, nil, "a***@e***.com", "", "ann@example.com"},
		{"the address of the plan", pending(8, prompted), nil, nil, "o***@e***.org", "", "other@example.org"},
		{"no address", pending(8, nil), nil, nil, "?", "", ""},
		{"an address of the plan that is none", pending(8, map[string]any{"email": "nonsense"}), nil, nil, "?", "", ""},
		{"a typed one", pending(8, nil), nil, map[string]any{"email": "bob@example.com"}, "b***@e***.com", sent, "bob@example.com"},
		{"a typed one that is none", pending(8, nil), nil, map[string]any{"email": "bob"}, "?", "email " + textAddress, ""},
		{"a typed one of several lines", pending(8, nil), nil, map[string]any{"email": "bob@example.com\r\nBcc: eve@example.com"}, "?", "email " + textAddress, ""},
		{"neither code nor address", pending(8, nil), nil, map[string]any{}, "?", "email " + textAddress, ""},
		{"an address that the person uses already", pending(8, nil), func(t *testing.T, o *office) { o.own(t, 8, "Bob@example.com", uuid.New()) },
			map[string]any{"email": "bob@Example.com"}, "?", "email email_device.error.taken", ""},
		{"one that somebody else uses", pending(8, nil), func(t *testing.T, o *office) { o.own(t, 7, "bob@example.com", uuid.New()) },
			map[string]any{"email": "bob@example.com"}, "b***@e***.com", sent, "bob@example.com"},
		{"Rule25: no other address than the known one", pending(7, nil), nil, map[string]any{"email": "eve@example.com"}, "a***@e***.com", "email email_device.error.known", "ann@example.com"},
		{"nothing sends the code again", pending(7, nil), nil, map[string]any{}, "a***@e***.com", sent, "ann@example.com ann@example.com"},
		{"so does the known address", pending(7, nil), nil, map[string]any{"email": "ANN@example.com"}, "a***@e***.com", sent, "ann@example.com ann@example.com"},
		{"and blanks", pending(7, nil), nil, map[string]any{"code": " ", "email": ""}, "a***@e***.com", sent, "ann@example.com ann@example.com"},
		{"a wrong code", pending(7, nil), nil, map[string]any{"code": "abc"}, "a***@e***.com", "non_field_errors code.error.wrong", "ann@example.com"},
		{"too many mails", pending(7, nil), func(_ *testing.T, o *office) { o.fails = limited }, map[string]any{}, "a***@e***.com", "non_field_errors code.limited", ""},
		{"no mail server", pending(7, nil), func(_ *testing.T, o *office) { o.fails = mail.ErrNotConfigured }, map[string]any{}, "a***@e***.com", "non_field_errors code.off", ""},
		{"a broken template", pending(7, nil), func(_ *testing.T, o *office) { o.broken = errors.New("line 3") }, map[string]any{}, "a***@e***.com", "non_field_errors code.send", ""},
		{"done before at this stage", pending(7, nil), func(t *testing.T, o *office) { o.own(t, 7, "ann@example.com", o.stage.ID) }, nil, "denied: " + msgOnce, "", ""},
		{"done before at another stage", pending(7, nil), func(t *testing.T, o *office) { o.own(t, 7, "else@example.com", uuid.New()) }, nil, "a***@e***.com", "", "ann@example.com"},
		{"nobody", nil, nil, nil, "denied: " + msgNobody, "", ""},
		{"a name without an account", map[string]any{"pending_user": identity.NewPerson(identity.User{Username: "ghost", Email: "ghost@example.com"}, nil)}, nil, nil, "denied: " + msgNobody, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOffice(t, row.set)
			if row.setup != nil {
				row.setup(t, o)
			}
			r := o.b.Get(t, "f", "")
			if c, ok := r.Challenge.Body.(*Challenge); ok && (c.Problem != nil) != (o.fails != nil || o.broken != nil) {
				t.Errorf("the first page tells of the problem %+v", c.Problem)
			}
			if row.answer != nil {
				if r = o.b.Post(t, "f", "", row.answer); !r.Rejected {
					t.Errorf("not refused: %s", flowtest.Describe(r))
				}
			}
			if got := shown(r); got != row.shown {
				t.Errorf("shows %s, want %s", got, row.shown)
			}
			if got := problem(r); got != row.problem {
				t.Errorf("problem %q, want %q", got, row.problem)
			}
			o.b.Get(t, "f", "") // sends nothing
			var to []string
			for _, l := range o.letters {
				to = append(to, l.To)
			}
			if got := strings.Join(to, " "); got != row.letters {
				t.Errorf("letters to %q, want %q", got, row.letters)
			}
		})
	}
}

func TestTheCodeEndsTheStage(t *testing.T) {
	o := newOffice(t, pending(7, nil))
	o.b.Get(t, "f", "")
	l := o.letters[0]
	if !l.Expires.Equal(o.Time.Add(30*time.Minute)) || l.Subject != "" || l.Template != "email/email_otp.html" || l.Via.Host != "localhost" || len(l.Code) != 6 {
		t.Errorf("letter %+v", l)
	}
	if got := flowtest.Describe(o.b.Post(t, "f", "", map[string]any{"code": l.Code[:3] + " " + l.Code[3:]})); got != "redirect / final" {
		t.Fatal(got)
	}
	d := o.devices[0]
	if k, err := authenticator.ReadReceiver(&d); err != nil || k.To != "ann@example.com" || k.Code.Text != "" || d.User != 7 || d.Stage != o.stage.ID || !d.Confirmed || d.Name != "Email Device" || d.Handle != "7 ann@example.com" {
		t.Errorf("device %+v keeps %+v, %v", d, k, err)
	}
}

func TestCodesOfTheSetUp(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(t *testing.T, o *office)
		// code is the one that is typed at the end.
		code    func(o *office) string
		want    string
		problem string
	}{
		{"sent again it is the same", func(t *testing.T, o *office) { o.b.Post(t, "f", "", map[string]any{}) }, func(o *office) string { return o.letters[0].Code }, "redirect / final", ""},
		{"it ends", func(_ *testing.T, o *office) { o.Time = o.Time.Add(30 * time.Minute) }, (*office).code, again, "code.error.spent"},
		{"a new one replaces it then", func(t *testing.T, o *office) {
			o.Time = o.Time.Add(16 * time.Minute)
			o.b.Post(t, "f", "", map[string]any{})
		}, (*office).code, "redirect / final", ""},
		{"Rule31: after five wrong ones it is no use", guessWrong(5), (*office).code, again, "code.error.spent"},
		{"after four it is", guessWrong(4), (*office).code, "redirect / final", ""},
		{"a new one is", func(t *testing.T, o *office) {
			guessWrong(5)(t, o)
			o.b.Post(t, "f", "", map[string]any{})
		}, (*office).code, "redirect / final", ""},
		{"but not the former one", func(t *testing.T, o *office) {
			guessWrong(5)(t, o)
			o.b.Post(t, "f", "", map[string]any{})
		}, func(o *office) string { return o.letters[0].Code }, again, "code.error.wrong"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOffice(t, pending(7, nil))
			o.b.Get(t, "f", "")
			row.do(t, o)
			if len(o.letters) > 1 && o.letters[0].Code == o.letters[1].Code && !strings.HasPrefix(row.name, "sent again") {
				t.Skip("the new code is the former one by chance, one in a million")
			}
			r := o.b.Post(t, "f", "", map[string]any{"code": row.code(o)})
			if r.Next {
				r = o.b.Get(t, "f", "")
			}
			if got := flowtest.Describe(r); got != row.want {
				t.Fatalf("%s, want %s", got, row.want)
			}
			if row.problem != "" && r.Challenge.Errors[field.NonField][0].Message != row.problem {
				t.Errorf("problem %+v, want %s", r.Challenge.Errors, row.problem)
			}
		})
	}
}

func guessWrong(times int) func(t *testing.T, o *office) {
	return func(t *testing.T, o *office) {
		for range times {
			if r := o.b.Post(t, "f", "", map[string]any{"code": "wrong"}); !r.Rejected {
				t.Fatal("a wrong code is right")
			}
		}
	}
}

func TestATypedAddressCanBeTakenBack(t *testing.T) {
	o := newOffice(t, pending(8, nil))
	o.b.Post(t, "f", "", map[string]any{"email": "bbo@example.com"})
	if r := o.b.Post(t, "f", "", map[string]any{"email": ""}); shown(r) != "?" {
		t.Fatalf("shows %s", shown(r))
	}
	o.b.Post(t, "f", "", map[string]any{"email": "bob@example.com"})
	if r := o.b.Post(t, "f", "", map[string]any{"email": "rob@example.com"}); shown(r) != "r***@e***.com" {
		t.Fatalf("shows %s", shown(r))
	}
	// Who has the code of one address has not read the mail of another.
	if o.letters[0].Code != o.letters[2].Code {
		if r := o.b.Post(t, "f", "", map[string]any{"code": o.letters[0].Code}); !r.Rejected {
			t.Error("the code of another address is taken")
		}
	}
	if r := o.b.Answer(t, "f", "", map[string]any{"code": o.letters[2].Code}); flowtest.Describe(r) != "redirect / final" || o.devices[0].Handle != "8 rob@example.com" {
		t.Errorf("%s, %+v", flowtest.Describe(r), o.devices)
	}
}

// Guesses that come at once all see the plan as it was before. What counts is how
// many there have been, so that only the first five are looked at.
func TestRule32AGuessIsCountedBeforeItIsLookedAt(t *testing.T) {
	for _, row := range []struct {
		before int
		want   string
	}{{4, "redirect / final"}, {5, again}} {
		o := newOffice(t, pending(7, nil))
		o.b.Get(t, "f", "")
		var d authenticator.Pending
		for key, v := range o.b.Request("f", "").Execution.Plan.Context.Values() {
			if text, ok := v.(string); ok && strings.HasPrefix(key, "weir_email_secret_") {
				if err := json.Unmarshal([]byte(text), &d); err != nil {
					t.Fatal(err)
				}
			}
		}
		if d.Code.Text != o.code() {
			t.Fatalf("the plan holds %+v", d)
		}
		for range row.before {
			if _, err := o.Store.Count(t.Context(), flowtest.SessionKey(o.b.Token), "code "+d.Code.ID); err != nil {
				t.Fatal(err)
			}
		}
		if got := flowtest.Describe(o.b.Answer(t, "f", "", map[string]any{"code": o.code()})); got != row.want {
			t.Errorf("the right code after %d others: %s, want %s", row.before, got, row.want)
		}
	}
}
