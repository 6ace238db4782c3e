package weir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

// begun is a site that was started as the command does it.
type begun struct {
	*Server
	t *testing.T
	// links are those that were announced.
	links []string
	log   bytes.Buffer
}

func begin(t *testing.T, s Settings) *begun {
	t.Helper()
	b, err := tryToBegin(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryToBegin(t *testing.T, s Settings) (b *begun, err error) {
	b = &begun{t: t}
	b.Server, err = Open(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Announce: func(link string) error { b.links = append(b.links, link); return nil }})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
		for _, link := range b.links {
			if strings.Contains(b.log.String(), keyOf(t, link)) {
				t.Error("the key of a link is in the log")
			}
		}
	})
	return b, nil
}

// link is the one link that a start announced, or "".
func (b *begun) link() string {
	b.t.Helper()
	switch len(b.links) {
	case 0:
		return ""
	case 1:
		return b.links[0]
	}
	b.t.Fatalf("%d links were announced", len(b.links))
	return ""
}

// ends checks that there is no set-up link any more, neither at a start nor by
// the command.
func (b *begun) ends(s Settings, why string) {
	b.t.Helper()
	if link, err := b.SetupLink(b.t.Context()); !errors.Is(err, ErrNoSetup) {
		b.t.Errorf("%s, the command makes the link %q (%v)", why, link, err)
	}
	if link := begin(b.t, s).link(); link != "" {
		b.t.Errorf("%s, another start announces %q", why, link)
	}
}

func keyOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Path != "/if/flow/initial-setup/" || len(u.Query().Get("flow_token")) < 64 {
		t.Fatalf("link %q, %v", link, err)
	}
	return u.Query().Get("flow_token")
}

// opens looks at the page of a link.
func (c *client) opens(link string) reply {
	c.t.Helper()
	return c.do("GET", recoverPath(setupFlow, keyOf(c.t, link)), "")
}

func setupAnswer(password string) string {
	return fmt.Sprintf(`{"username":"root","email":"root@example.org","password":%q,"password_repeat":%[1]q}`, password)
}

// setsUp becomes the administrator root by a link.
func (c *client) setsUp(link, password string) reply {
	c.t.Helper()
	return c.follow(c.do("POST", recoverPath(setupFlow, keyOf(c.t, link)), setupAnswer(password)))
}

// refused checks that links lead nowhere.
func (b *begun) refused(why string, links ...string) {
	b.t.Helper()
	for _, link := range links {
		if r := visit(b.t, b.Server).opens(link); r.component() != "ak-stage-access-denied" {
			b.t.Errorf("%s: the link shows %v", why, r.body)
		}
		if r := visit(b.t, b.Server).setsUp(link, "of an attacker"); r.component() != "ak-stage-access-denied" {
			b.t.Errorf("%s: the link leads to %v", why, r.body)
		}
	}
}

func (b *begun) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

func TestTheInitialSetUp(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Email = "admin@example.org"
		b := begin(t, s)
		link := b.link()
		if r := visit(t, b.Server).do("GET", "/api/v3/flows/executor/initial-setup/", ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("without a link the flow shows %v", r.body)
		}
		if r := visit(t, b.Server).signIn("akadmin", ""); r.component() != "ak-stage-password" {
			t.Errorf("signing in without a password leads to %v", r.body)
		}
		for range 2 { // looking uses nothing up
			r := visit(t, b.Server).opens(link)
			if r.component() != "ak-stage-prompt" || !strings.Contains(string(r.raw), `"akadmin"`) || !strings.Contains(string(r.raw), "admin@example.org") {
				t.Fatalf("the link shows %s", r.raw)
			}
		}
		if _, err := b.CreateUser(t.Context(), NewUser{Username: "max", Password: "correct horse"}); err != nil {
			t.Fatal(err)
		}
		c := visit(t, b.Server)
		for _, wrong := range []string{
			`{"username":"root","email":"root@example.org","password":"a","password_repeat":"b"}`,
			`{"username":"root","email":"root@example.org"}`,
			`{"username":"root","email":"root@example.org","password":"","password_repeat":""}`,
			`{"username":"root","email":"root","password":"a","password_repeat":"a"}`,
			`{"username":"max","email":"root@example.org","password":"a","password_repeat":"a"}`,
			`{"username":"","email":"root@example.org","password":"a","password_repeat":"a"}`,
		} {
			if r := c.do("POST", recoverPath(setupFlow, keyOf(t, link)), wrong); r.component() != "ak-stage-prompt" || r.body["response_errors"] == nil {
				t.Errorf("%s leads to %v", wrong, r.body)
			}
		}
		if r := c.setsUp(link, "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("the set-up ends with %v", r.body)
		}
		me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any)
		if me["username"] != "root" || me["is_superuser"] != true || me["email"] != "root@example.org" {
			t.Errorf("signed in as %v", me)
		}
		if r := visit(t, b.Server).signIn("root", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the password leads to %v", r.body)
		}
		raw := string(c.do("GET", "/api/v3/events/events/?page_size=100", "").raw)
		if !strings.Contains(raw, "A link for the initial set-up was made.") || strings.Contains(raw, keyOf(t, link)) || strings.Contains(raw, "correct horse") {
			t.Errorf("events %s", raw)
		}
		b.refused("after the set-up", link)
	})
}

func TestTheAdministratorOfTheSettings(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token, s.Bootstrap.Password = "a-bootstrap-token-of-some-length", "correct horse"
		b := begin(t, s)
		me := visit(t, b.Server).do("GET", "/api/v3/core/users/me/", "", "Authorization", "Bearer a-bootstrap-token-of-some-length")
		if user, _ := me.body["user"].(map[string]any); user["username"] != "akadmin" || user["is_superuser"] != true {
			t.Errorf("the token's owner is %v", me.body)
		}
		if r := visit(t, b.Server).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the password leads to %v", r.body)
		}
	})
}

// Until the set-up is done, there is a link that works after every start.
func TestASetUpThatWasCutOffIsTakenUpByTheNextStart(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		errGone := errors.New("the terminal is gone")
		_, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler), Announce: func(string) error { return errGone }})
		if !errors.Is(err, errGone) {
			t.Fatalf("a start that cannot show the link: %v", err)
		}
		first := begin(t, s)
		b := begin(t, s)
		for _, link := range []string{first.link(), b.link()} {
			if r := visit(t, b.Server).opens(link); r.component() != "ak-stage-prompt" {
				t.Errorf("the link of an earlier start shows %v", r.body)
			}
		}
		if r := visit(t, b.Server).setsUp(b.link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the set-up ends with %v", r.body)
		}
	})
}

func TestNodesThatStartTogetherAnnounceLinksThatWork(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		var wg sync.WaitGroup
		nodes, errs := make([]*begun, 3), make([]error, 3)
		for i := range nodes {
			wg.Go(func() { nodes[i], errs[i] = tryToBegin(t, s) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("a node did not start: %v", err)
		}
		for i, b := range nodes {
			if r := visit(t, nodes[0].Server).opens(b.link()); r.component() != "ak-stage-prompt" {
				t.Errorf("the link of node %d shows %v", i, r.body)
			}
		}
		names, err := store.Select(t.Context(), nodes[0].db, store.Column[string], "select username from users")
		if err != nil || len(names) != 1 || names[0] != adminName {
			t.Errorf("users %v, %v", names, err)
		}
		if r := visit(t, nodes[1].Server).setsUp(nodes[2].link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the set-up ends with %v", r.body)
		}
		for _, b := range nodes {
			nodes[0].refused("after the set-up", b.link())
		}
	})
}

// Who took the flow away, or made it apply to nobody, still gets a server.
func TestWithoutItsFlowTheSetUpIsLeftToTheCommand(t *testing.T) {
	const denied = `
entries:
  - {model: authentik_policies_dummy.dummypolicy, id: nobody, identifiers: {name: nobody}, attrs: {result: false, wait_min: 0, wait_max: 1}}
  - {model: authentik_policies.policybinding, identifiers: {target: !Find [authentik_flows.flow, [slug, initial-setup]], policy: !KeyOf nobody, order: 0}}
`
	for name, text := range map[string]string{
		"deleted": "entries: [{model: authentik_flows.flow, state: absent, identifiers: {slug: initial-setup}}]\n",
		"denied":  denied,
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			apply(t, begin(t, s).Server, text)
			b := begin(t, s)
			if b.link() != "" || !strings.Contains(b.log.String(), "the initial set-up cannot be walked") {
				t.Errorf("the start announces %q and logs %s", b.link(), b.log.String())
			}
			if _, err := b.SetupLink(t.Context()); err == nil || errors.Is(err, ErrNoSetup) {
				t.Errorf("the command: %v", err)
			}
			if r := visit(t, b.Server).do("GET", "/-/health/ready/", ""); r.status != http.StatusOK {
				t.Errorf("ready: %d", r.status)
			}
		})
	}
}

// byTheSetUp asks what published set-up flows ask: whether a link for the set-up led
// into the flow; and its person becomes akadmin once more.
const byTheSetUp = `
entries:
  - {model: authentik_policies_expression.expressionpolicy, id: by, identifiers: {name: by}, attrs: {expression: "return context.get('goauthentik.io/core/setup/started-by') == 'setup'"}}
  - {model: authentik_policies_expression.expressionpolicy, id: who, identifiers: {name: who}, attrs: {expression: "context['flow_plan'].context['pending_user'] = ak_user_by(username='akadmin')\nreturn True"}}
  - {model: authentik_policies.policybinding, identifiers: {target: !Find [authentik_flows.flow, [slug, initial-setup]], policy: !KeyOf by, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !Find [authentik_flows.flowstagebinding, [order, 20], [target, !Find [authentik_flows.flow, [slug, initial-setup]]]], policy: !KeyOf who, order: 0}}
`

func TestPoliciesKnowTheSetUpByItsLink(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		apply(t, b.Server, byTheSetUp)
		link, err := b.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r := visit(t, b.Server).setsUp(link, "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the set-up ends with %v", r.body)
		}
	})
}
