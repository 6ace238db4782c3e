package consent

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	store "github.com/weir-id/weir/internal/consent"
	"github.com/weir-id/weir/policy"
)

// drawer keeps the consents of one person and application.
type drawer struct{ given *store.Consent }

func (d *drawer) Of(context.Context, int64, uuid.UUID) (*store.Consent, error) { return d.given, nil }

func (d *drawer) Grant(_ context.Context, _ flow.Tx, c store.Consent) error {
	slices.Sort(c.Permissions)
	d.given = &c
	return nil
}

// asks is a flow of one consent stage for ann and an application.
type asks struct {
	*flowtest.World
	t      *testing.T
	drawer *drawer
	app    *flow.Ref
	wanted []any
	header string
	b      *flowtest.Browser
}

func newAsks(t *testing.T, config Config, app bool, wanted ...string) *asks {
	a := &asks{t: t, drawer: &drawer{}}
	a.World = flowtest.New(t, Type(Env{a.drawer, []byte("key")}))
	ann := a.People.Add(identity.User{ID: 7, Username: "ann", Active: true})
	if app {
		a.app = &flow.Ref{Kind: "application", ID: uuid.New(), Name: "Wiki"}
	}
	a.want(wanted...)
	f := a.AddFlow("f", nil)
	b := a.Bind(f, a.AddStage("consent", "consent", &config), func(b *flow.Binding) { b.EvaluateOnPlan, b.ReevaluatePolicies = false, true })
	a.BindPolicy(b.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		set := map[string]any{"pending_user": ann, "consent_permissions": a.wanted, "consent_header": a.header}
		if a.app != nil {
			set["application"] = a.app
		}
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	}), nil)
	a.b = a.NewBrowser()
	return a
}

func (a *asks) want(ids ...string) {
	a.wanted = nil
	for _, id := range ids {
		a.wanted = append(a.wanted, map[string]any{"id": id, "name": "Name of " + id})
	}
}

// shown is the question; nil when nothing is asked.
func shown(r *flow.Result) *Challenge {
	c, _ := r.Challenge.Body.(*Challenge)
	return c
}

func ids(list []Permission) string {
	var out []string
	for _, p := range list {
		out = append(out, p.ID)
	}
	return strings.Join(out, " ")
}

func TestWhatIsKept(t *testing.T) {
	rows := []struct {
		name   string
		mode   Mode
		app    bool
		wanted []string
		before []string // nil for no consent yet
		// known and added are asked for; asked is false when nothing is.
		asked        bool
		known, added string
		kept         []string // nil for nothing
		expires      bool
	}{
		{"always asked, never kept", AlwaysRequire, true, []string{"a"}, nil, true, "a", "", nil, false},
		{"no application, nothing kept", Permanent, false, []string{"a"}, nil, true, "a", "", nil, false},
		{"kept", Permanent, true, []string{"b", "a"}, nil, true, "b a", "", []string{"a", "b"}, false},
		{"kept for a while", Expiring, true, []string{"a"}, nil, true, "a", "", []string{"a"}, true},
		{"nothing to permit", Permanent, true, nil, nil, true, "", "", []string{}, false},
		{"the same again", Permanent, true, []string{"b", "a"}, []string{"a", "b"}, false, "", "", []string{"a", "b"}, false},
		{"nothing to permit again", Permanent, true, nil, []string{}, false, "", "", []string{}, false},
		{"one more", Permanent, true, []string{"a", "b"}, []string{"a"}, true, "a", "b", []string{"a", "b"}, false},
		{"one less", Permanent, true, []string{"a"}, []string{"a", "b"}, true, "a", "", []string{"a"}, false},
		{"one twice counts once", Permanent, true, []string{"a", "a"}, nil, true, "a", "", []string{"a"}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := newAsks(t, Config{Mode: row.mode, ConsentExpireIn: "weeks=4"}, row.app, row.wanted...)
			if row.before != nil {
				a.drawer.given = &store.Consent{User: 7, Permissions: row.before}
			}
			r := a.b.Get(t, "f", "")
			c := shown(r)
			if (c != nil) != row.asked {
				t.Fatalf("%s", flowtest.Describe(r))
			}
			if c != nil {
				if ids(c.Permissions) != row.known || ids(c.Additional) != row.added || c.PendingUser != "ann" {
					t.Errorf("asked for %q and %q as %q", ids(c.Permissions), ids(c.Additional), c.PendingUser)
				}
				if r = a.b.Post(t, "f", "", map[string]any{"token": c.Token}); flowtest.Describe(r) != "redirect / final" {
					t.Fatalf("answered: %s", flowtest.Describe(r))
				}
			}
			if row.kept == nil {
				if a.drawer.given != nil {
					t.Errorf("kept %v", a.drawer.given)
				}
				return
			}
			if a.drawer.given == nil || a.drawer.given.User != 7 {
				t.Fatalf("kept %v", a.drawer.given)
			}
			if diff := cmp.Diff(row.kept, append([]string{}, a.drawer.given.Permissions...)); diff != "" {
				t.Error(diff)
			}
			if e := a.drawer.given.Expires; (e != nil) != row.expires || e != nil && !e.Equal(a.Time.Add(4*7*24*time.Hour)) {
				t.Errorf("expires %v", e)
			}
		})
	}
}

// Nobody agrees to anything but what they were shown, where they were shown it.
func TestRule02OnlyTheTokenOfThePageIsConsent(t *testing.T) {
	rows := []struct {
		name   string
		answer func(a *asks, token string) map[string]any
	}{
		{"none", func(*asks, string) map[string]any { return map[string]any{} }},
		{"null", func(*asks, string) map[string]any { return map[string]any{"token": nil} }},
		{"empty", func(*asks, string) map[string]any { return map[string]any{"token": ""} }},
		{"made up", func(*asks, string) map[string]any { return map[string]any{"token": uuid.NewString()} }},
		{"with another end", func(_ *asks, token string) map[string]any { return map[string]any{"token": token[:len(token)-1] + "x"} }},
		{"of another time", func(_ *asks, token string) map[string]any {
			_, mac, _ := strings.Cut(token, ".")
			return map[string]any{"token": "zzzzzz." + mac}
		}},
		{"after the permissions have grown", func(a *asks, token string) map[string]any {
			a.want("a", "b")
			return map[string]any{"token": token}
		}},
		{"for another application", func(a *asks, token string) map[string]any {
			a.app = &flow.Ref{Kind: "application", ID: uuid.New()}
			return map[string]any{"token": token}
		}},
		{"under another text", func(a *asks, token string) map[string]any {
			a.header = "Give everything away?"
			return map[string]any{"token": token}
		}},
		{"too late", func(a *asks, token string) map[string]any {
			a.Time = a.Time.Add(tokenLife + time.Minute)
			return map[string]any{"token": token}
		}},
		{"of another browser", func(a *asks, _ string) map[string]any {
			return map[string]any{"token": shown(a.NewBrowser().Get(a.t, "f", "")).Token}
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := newAsks(t, Config{Mode: Permanent}, true, "a")
			c := shown(a.b.Get(t, "f", ""))
			if c == nil {
				t.Fatal("nothing is asked")
			}
			body := row.answer(a, c.Token)
			r := a.b.Post(t, "f", "", body)
			if again := shown(r); again == nil || len(r.Challenge.Errors["token"]) != 1 {
				t.Errorf("%s with %v", flowtest.Describe(r), r.Challenge.Errors)
			}
			if a.drawer.given != nil {
				t.Errorf("kept %v", a.drawer.given)
			}
		})
	}
}
