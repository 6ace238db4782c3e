package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
)

// outpostKey is the API token of an internal service account.
const outpostKey = "the-key-of-the-outpost"

// How wrong passwords are refused, whoever tries.
const (
	wrongPassword = "Invalid password"
	wrongLogin    = "The user name or password is not right. Try again or reset your password."
)

// outpost is an LDAP outpost of the site.
func (s *site) outpost(t *testing.T) *outpost {
	t.Helper()
	return &outpost{schema: publishedSchema(t), url: s.URL, token: outpostKey, protocol: "ldap"}
}

// signIn walks a flow and returns the attempt with why it failed, "" for success.
func (o *outpost) signIn(t *testing.T, flow, ip, name, password string) (*attempt, string) {
	t.Helper()
	a, err := o.begin(flow, ip, name, password)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.run(t.Context()); err != nil {
		return a, err.Error()
	}
	return a, ""
}

// address is one that nobody else comes from.
func (s *site) address() string {
	n := s.users.Add(1)
	return fmt.Sprintf("198.18.%d.%d", n>>8, n&255)
}

// open opens the database of a site beside it, to look at what is stored.
func (s *site) open(t *testing.T) store.DB {
	t.Helper()
	db, err := dial.Open(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOutpostSignsIn(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, db)
			o := s.outpost(t)
			stored := s.open(t)
			user := s.user(t, "Headless")
			for _, row := range []struct {
				name, flow, user, password string
				failure                    string
				solved                     string
				events                     string
			}{
				{"the right password", login, user.name, user.password, "", "identification password", "login"},
				{"a wrong password", login, user.name, "wrong", "flow error password: " + wrongPassword, "identification password", "login_failed"},
				{"no password", login, user.name, "", "flow error password: Enter your password", "identification password", ""},
				{"an unknown user", login, "nobody", user.password, "flow error password: " + wrongPassword, "identification password", "login_failed"},
				{"an inactive user", login, "retired", "the password of the retired", "flow error password: " + wrongPassword, "identification password", "login_failed"},
				{"name and password at once", "remember-none", user.name, user.password, "", "identification", "login"},
				{"a wrong password at once", "remember-none", user.name, "wrong", "flow error non_field_errors: " + wrongLogin, "identification", "login_failed"},
				{"an unknown user at once", "remember-none", "nobody", "wrong", "flow error non_field_errors: " + wrongLogin, "identification", ""},
				{"an inactive user at once", "remember-none", "retired", "the password of the retired", "flow error non_field_errors: " + wrongLogin, "identification", "login_failed"},
				{"asked whether to stay signed in", "remember-me", user.name, user.password, "", "identification user-login", "login"},
				{"no flow of that name", "no-such-flow", user.name, user.password, "status 404", "", ""},
				{"a closed flow", "denied-message", user.name, user.password, "access denied: Closed for the winter", "", ""},
				{"a stage that denies", "denied-stage", user.name, user.password, "access denied: The deny stage says no", "", ""},
				{"a closed flow that leads elsewhere counts as success", "denied-continue", user.name, user.password, "", "", ""},
				{"a stage that fails", "broken", user.name, user.password, "unsupported challenge type ak-stage-flow-error", "", ""},
				{"a stage beyond it", "two-steps", user.name, user.password, "unsupported challenge type ak-stage-dummy", "", ""},
				{"a second factor to set up", "must-configure", user.name, user.password, "no compatible authenticator class found", "identification", ""},
				{"a second factor that is missing", "must-have", user.name, user.password, "access denied: You have no authenticator that can be used here.", "identification", ""},
				{"the log-out flow", "default-invalidation-flow", user.name, user.password, "", "", ""},
				{"a flow for LDAP", "ldap-only", user.name, user.password, "", "", ""},
			} {
				t.Run(row.name, func(t *testing.T) {
					ip := s.address()
					a, failure := o.signIn(t, row.flow, ip, row.user, row.password)
					if failure != row.failure {
						t.Errorf("the outpost says %q, want %q", failure, row.failure)
					}
					if got := strings.Join(a.solved, " "); got != row.solved {
						t.Errorf("it answered %q, want %q", got, row.solved)
					}
					if found := !strings.HasPrefix(failure, "status"); (a.jar.session != nil) != found {
						t.Errorf("the session is %v", a.jar.session)
					}
					if got := eventsFrom(t, stored, ip); got != row.events {
						t.Errorf("events from %s: %q, want %q", ip, got, row.events)
					}
					in := row.events == "login"
					me, err := a.me(t.Context())
					if (err == nil) != in {
						t.Fatalf("users/me: %v, %v", me, err)
					}
					if !in {
						return
					}
					if me["username"] != user.name || me["pk"] != float64(user.id) {
						t.Errorf("users/me is %v", me)
					}
					if got := addressOf(t, stored, a.jar.session.Value); got != ip {
						t.Errorf("the session was used from %s, want %s", got, ip)
					}
				})
			}
		})
	}
}

// eventsFrom are what is recorded of an address, in order.
func eventsFrom(t *testing.T, db store.DB, ip string) string {
	t.Helper()
	found, err := new(event.Recorder).List(t.Context(), db, event.Filter{Actions: []event.Action{event.Login, event.LoginFailed}, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range found {
		if e.ClientIP == ip {
			out = append(out, string(e.Action))
		}
	}
	return strings.Join(out, " ")
}

// addressOf is the address that a session was used from last. The digest of the
// cookie is what names the session to an outpost.
func addressOf(t *testing.T, db store.DB, cookie string) string {
	t.Helper()
	var ip string
	if err := db.QueryRow(t.Context(), "select last_ip from sessions where key = $1", fmt.Sprintf("%x", sha256.Sum256([]byte(cookie)))).Scan(&ip); err != nil {
		t.Fatal(err)
	}
	return ip
}

// An outpost that caches binds keeps one until the cookie ends.
func TestOutpostGetsTheExpiryOfTheSession(t *testing.T) {
	s := sharedSite(t, databases[0])
	user := s.user(t, "Expiry")
	a, failure := s.outpost(t).signIn(t, "remember-me", s.address(), user.name, user.password)
	if failure != "" {
		t.Fatal(failure)
	}
	if left := time.Until(a.jar.session.Expires); left < 24*time.Hour {
		t.Errorf("the cookie is good for %v", left)
	}
}

// An outpost answers nine challenges; what comes of the tenth answer it no
// longer looks at.
func TestOutpostGivesUpAfterTenAnswers(t *testing.T) {
	s := sharedSite(t, databases[0])
	user := s.user(t, "Patient")
	for n, want := range map[int]string{9: "", 10: "too many challenges"} {
		var b strings.Builder
		fmt.Fprintf(&b, "entries:\n- {model: authentik_flows.flow, id: flow, identifiers: {slug: names-%d}, attrs: {name: Names, title: Names, designation: authentication}}\n", n)
		for order := range n {
			fmt.Fprintf(&b, "- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !Find [authentik_stages_identification.identificationstage, [name, outpost-name]], order: %d}}\n", order)
		}
		file := filepath.Join(t.TempDir(), "names.yaml")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		s.apply(t, file)
		a, failure := s.outpost(t).signIn(t, fmt.Sprintf("names-%d", n), s.address(), user.name, user.password)
		if failure != want || len(a.solved) != n {
			t.Errorf("%d challenges: %q after %d answers, want %q", n, failure, len(a.solved), want)
		}
	}
}

// RADIUS differs by its marker in the query alone.
func TestOutpostsAreToldApartByTheirMarker(t *testing.T) {
	s := sharedSite(t, databases[0])
	o := s.outpost(t)
	o.protocol = "radius"
	user := s.user(t, "Radius")
	if _, failure := o.signIn(t, login, s.address(), user.name, user.password); failure != "" {
		t.Errorf("the default login: %s", failure)
	}
	if _, failure := o.signIn(t, "ldap-only", s.address(), user.name, user.password); !strings.HasPrefix(failure, "access denied") {
		t.Errorf("the flow for LDAP: %q", failure)
	}
}
