package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// call runs the command as a shell would.
func call(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	root := newRoot()
	var o, e bytes.Buffer
	root.SetOut(&o)
	root.SetErr(&e)
	root.SetIn(strings.NewReader(stdin))
	code = run(t.Context(), root, args)
	return code, o.String(), e.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodesAndMessages(t *testing.T) {
	dir := t.TempDir()
	good := write(t, "good.yaml", "version: 1\nentries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: x}}]\n")
	bad := write(t, "bad.yaml", "version: 1\nentries:\n  - model: authentik_stages_nothing.nothing\n    identifiers: {name: x}\n")
	someFlow := write(t, "flow.yaml", "version: 1\nentries: [{model: authentik_flows.flow, identifiers: {slug: some-flow}, attrs: {name: x, title: x, designation: authentication}}]\n")
	unchecked := write(t, "unchecked.yaml", `version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: unchecked}, attrs: {name: x, title: x, designation: authentication}}
- {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: prove-who}, attrs: {user_fields: [username]}}
- {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: prove-login}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf who, order: 0}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 1}}
`)
	badBody := write(t, "body.yaml", "version: 1\nentries:\n- model: authentik_policies_expression.expressionpolicy\n  identifiers: {name: p}\n  attrs:\n    expression: |\n      x = 1\n      with x: pass\n")
	lockout := write(t, "lockout.yaml", "version: 1\nentries: [{model: authentik_core.user, identifiers: {username: ada}, attrs: {is_active: false}}]\n")
	settings := write(t, "weir.yaml", "lisen: x\nlog_level: loud\n")
	rows := []struct {
		name, stdin string
		args        []string
		code        int
		out, errs   string
	}{
		{"no arguments show the help", "", nil, 0, "Available Commands", ""},
		{"an unknown command", "", []string{"serv"}, 2, "", "unknown command"},
		{"an unknown flag", "", []string{"serve", "--lisen", "x"}, 2, "", "unknown flag: --lisen"},
		{"a secret is no flag", "", []string{"serve", "--secret-key", "x"}, 2, "", "unknown flag"},
		{"a file with two problems names both", "", []string{"serve", "--config", settings}, 2, "", "log_level: must be"},
		{"and the other one", "", []string{"serve", "--config", settings}, 2, "", "lisen: unknown setting"},
		{"apply without files", "", []string{"apply"}, 2, "", "requires at least 1 arg"},
		{"a dry run says what would be", "", []string{"apply", "--dry-run", good}, 3, "would be 1 created", ""},
		{"apply reports", "", []string{"apply", good}, 0, "+ authentik_stages_dummy.dummystage x\n", ""},
		{"applying again changes nothing", "", []string{"apply", good}, 0, "0 created, 0 changed, 0 deleted; 1 as they were", ""},
		{"and a dry run has nothing to do", "", []string{"apply", "--dry-run", good}, 0, "would be 0 created", ""},
		{"a bad file in a dry run", "", []string{"apply", "--dry-run", bad}, 1, "", "nothing was changed"},
		{"JSON of what was done", "", []string{"apply", "--json", good}, 2, "", "--json is for --dry-run"},
		{"a flow is applied", "", []string{"apply", someFlow}, 0, "+ authentik_flows.flow", ""},
		{"a flow that only lacks its purpose gives a warning", "", []string{"prove", "some-flow"}, 0, "warning   no-effect  some-flow  -      -      The designation", ""},
		{"a dry run says what is wrong with a flow", "", []string{"apply", "--dry-run", unchecked}, 3, "would be 5 created", "warning: error unchecked-login unchecked 1 prove-login: "},
		{"a flow that signs in by name alone is applied", "", []string{"apply", unchecked}, 0, "+ authentik_flows.flow", "warning: error unchecked-login unchecked 1 prove-login: "},
		{"and found", "", []string{"prove", "unchecked"}, 1, "error     unchecked-login  unchecked  1      prove-login", "findings that are errors"},
		{"among all flows too", "", []string{"prove", "--json"}, 1, `"code": "unchecked-login"`, ""},
		{"the default flow is fine", "", []string{"prove", "default-authentication-flow"}, 0, "nothing found", ""},
		{"as a list", "", []string{"prove", "--json", "default-authentication-flow"}, 0, "[]\n", ""},
		{"a flow that does not exist is not proved", "", []string{"prove", "nothing"}, 1, "", `"nothing"`},
		{"and exported", "", []string{"export", "some-flow"}, 0, "- model: authentik_flows.flow\n  identifiers:\n    slug: some-flow\n", ""},
		{"and exported with keys", "", []string{"export", "--compatible", "some-flow"}, 0, "    slug: some-flow\n  model: authentik_flows.flow\n", ""},
		{"and exported with all the rest", "", []string{"export", "--all"}, 0, "  name: The whole configuration\n", ""},
		{"a flow that does not exist", "", []string{"export", "no-flow"}, 1, "", `export flow "no-flow": no such flow`},
		{"export without a flow", "", []string{"export"}, 2, "", "name a flow by its slug, or take --all"},
		{"export of two flows with keys", "", []string{"export", "--compatible", "a", "b"}, 2, "", "--compatible takes one flow"},
		{"export of everything and a flow", "", []string{"export", "--all", "a"}, 2, "", "--all takes no flows"},
		{"a bad file says where", "", []string{"apply", good, bad}, 1, "", "bad.yaml:3:12"},
		{"a bad expression says where in the file, and what not to write", "", []string{"apply", badBody}, 1, "", `body.yaml:8:7: entry 1 (authentik_policies_expression.expressionpolicy): field expression: 'with' is not available in expressions`},
		{"a missing file", "", []string{"apply", "/nowhere.yaml"}, 1, "", "no such file"},
		{"a user is created", "s3cret words\n", []string{"user", "create", "ada", "--name", "Ada", "--password-stdin", "--superuser"}, 0, "created user ada", ""},
		{"not twice", "", []string{"user", "create", "ada"}, 1, "", "username"},
		{"a password is changed", "other words", []string{"user", "password", "ada", "--password-stdin"}, 0, "set the password of ada", ""},
		{"a password for nobody", "x\n", []string{"user", "password", "bob", "--password-stdin"}, 1, "", "no such user"},
		{"no password on standard input", "", []string{"user", "password", "ada", "--password-stdin"}, 2, "", "no password"},
		{"a recovery link", "", []string{"user", "recovery-link", "ada"}, 0, "/if/flow/default-recovery-flow/?flow_token=", ""},
		{"a recovery link for ever", "", []string{"user", "recovery-link", "ada", "--for", "10000h"}, 2, "", "--for"},
		{"a sign-in link", "", []string{"user", "sign-in-link", "ada"}, 0, "/if/sign-in/?key=", ""},
		{"a sign-in link for a week", "", []string{"user", "sign-in-link", "ada", "--for", "168h"}, 2, "", "--for takes a duration of at most 24h"},
		{"a sign-in link for nobody", "", []string{"user", "sign-in-link", "bob"}, 1, "", "no such user"},
		{"what would lock everybody out", "", []string{"apply", lockout}, 1, "", "nothing was changed:\nAfter this change no active administrator"},
		{"what would lock everybody out, in a dry run", "", []string{"apply", "--dry-run", lockout}, 1, "", "After this change no active administrator"},
		{"it is forced", "", []string{"apply", "--force", lockout}, 0, "~ authentik_core.user ada", ""},
		{"a sign-in link for somebody inactive", "", []string{"user", "sign-in-link", "ada"}, 1, "", "not active"},
		{"a set-up link before the first start", "", []string{"setup-link"}, 1, "", "no initial set-up to be done: the first `weir serve` begins it"},
		{"no name", "", []string{"user", "create"}, 2, "", "accepts 1 arg"},
		{"the templates of mails", "", []string{"mail", "preview"}, 0, "email/password_reset.html", ""},
		{"a mail as text", "", []string{"mail", "preview", "email/password_reset.html", "--language", "de"}, 0, "Subject: ", ""},
		{"a mail as a page", "", []string{"mail", "preview", "email/invitation.html", "--html"}, 0, "<!doctype html>", ""},
		{"a template that is none", "", []string{"mail", "preview", "email/nothing.html"}, 1, "", "email/nothing.html"},
		{"a test mail without a server", "", []string{"mail", "test", "ada@example.com"}, 1, "", "no mail server is configured (smtp_url)"},
		{"the version", "", []string{"version"}, 0, "weir dev", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			code, out, errs := call(t, row.stdin, append([]string{"--data", dir, "--hash-memory", "7168"}, row.args...)...)
			if code != row.code || !strings.Contains(out, row.out) || !strings.Contains(errs, row.errs) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, row.code, out, errs)
			}
			if typed := strings.TrimSpace(row.stdin); len(typed) > 1 && strings.Contains(out+errs, typed) {
				t.Error("a password was printed")
			}
		})
	}
}

func TestServeUntilToldToStop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	serveOnce := func() (out, errs string) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		root := newRoot()
		read, written := io.Pipe()
		var e bytes.Buffer
		root.SetOut(written)
		root.SetErr(&e)
		code := make(chan int)
		go func() {
			c := run(ctx, root, []string{"serve", "--data", dir, "--listen", address, "--hash-memory", "7168", "--log-format", "json"})
			_ = written.Close()
			code <- c
		}()
		// The first line is printed once the site is up.
		buf := make([]byte, 256)
		n, err := read.Read(buf)
		if err != nil {
			t.Fatalf("read: %v; %s", err, e.String())
		}
		out = string(buf[:n])
		rest := make(chan string)
		go func() { b, _ := io.ReadAll(read); rest <- string(b) }()
		res, err := http.Get("http://" + address + "/-/health/ready/")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("ready = %d", res.StatusCode)
		}
		stop()
		out += <-rest
		if c := <-code; c != 0 {
			t.Errorf("exit code %d: %s", c, e.String())
		}
		return out, e.String()
	}
	out, errs := serveOnce()
	link := regexp.MustCompile(`(?m)^ +http://` + regexp.QuoteMeta(address) + `/if/flow/initial-setup/\?flow_token=(\S{64,})$`)
	shown := link.FindStringSubmatch(out)
	if !strings.Contains(out, "Weir is at http://"+address+"/\n") || shown == nil {
		t.Fatalf("the first start prints %q", out)
	}
	if strings.Contains(errs, shown[1]) {
		t.Error("the key of the link is in the log")
	}
	command := []string{"setup-link", "--data", dir, "--listen", address, "--hash-memory", "7168"}
	if code, out, errs := call(t, "", command...); code != 0 || !link.MatchString("    "+out) || strings.Contains(out, shown[1]) {
		t.Errorf("the command: code %d, %q, %s", code, out, errs)
	}
	if out, _ := serveOnce(); !link.MatchString(out) {
		t.Errorf("a second start before the set-up prints %q", out)
	}
	if code, _, errs := call(t, "correct horse\n", "user", "password", "akadmin", "--password-stdin", "--data", dir, "--hash-memory", "7168"); code != 0 {
		t.Fatal(errs)
	}
	if out, _ := serveOnce(); strings.Contains(out, "flow_token") {
		t.Errorf("a start after a password was set prints %q", out)
	}
	if code, out, errs := call(t, "", command...); code != 1 || strings.Contains(out, "flow_token") || !strings.Contains(errs, "no initial set-up") {
		t.Errorf("the command afterwards: code %d, %q, %s", code, out, errs)
	}
}

func TestAPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	code, _, errs := call(t, "", "serve", "--data", dir, "--listen", l.Addr().String())
	if code != 1 || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("the data folder was touched: %v", entries)
	}
}
