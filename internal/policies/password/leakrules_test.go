package password

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/policy"
)

// source is one bound policy.
type source struct {
	object  *policy.Object
	binding *policy.Binding
}

func (s source) PolicyBindings(uuid.UUID) []*policy.Binding { return []*policy.Binding{s.binding} }
func (s source) Policy(id uuid.UUID) (*policy.Object, bool) { return s.object, id == s.object.ID }

// run has the engine judge a password by its leaks, with everything logged.
func run(t *testing.T, l *Leaks, plain string) policy.Result {
	t.Helper()
	typ := Type(Env{Leaks: l})
	c := typ.Defaults().(*Config)
	c.CheckLeaks, c.CheckStrength = true, true
	p, err := typ.Build("leaks", c)
	if err != nil {
		t.Fatal(err)
	}
	o := &policy.Object{Name: "leaks", ExecutionLogging: true, Policy: p}
	o.ID = uuid.New()
	b := policy.NewBinding()
	b.Policy = &o.ID
	return (&policy.Engine{}).Evaluate(t.Context(), policy.Run{Source: source{o, &b}, User: identity.Anonymous(), EmptyResult: policy.Pass,
		Context: func() map[string]any { return map[string]any{"prompt_data": map[string]any{"password": plain}} }})
}

func TestRule08UnknownLeaksDeny(t *testing.T) {
	s := newService(t)
	rows := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		plain  string
		want   policy.Verdict
		say    string
	}{
		{"leaked", nil, leaked, policy.Fail, "stands 12 times"},
		{"not leaked", nil, "tR7#qLw9!vZx2@", policy.Pass, ""},
		{"not leaked but easy to guess", nil, "password1", policy.Fail, "easy to guess"},
		{"nobody knows", status(503), "tR7#qLw9!vZx2@", policy.Error, ""},
		{"nobody understands", says("<html>"), "tR7#qLw9!vZx2@", policy.Error, ""},
	}
	for _, row := range rows {
		s.mu.Lock()
		s.answer = row.answer
		s.mu.Unlock()
		got := run(t, s.leaks(t), row.plain)
		if got.Verdict != row.want || !strings.Contains(strings.Join(got.Messages, "|"), row.say) || row.say == "" && len(got.Messages) > 0 {
			t.Errorf("%s: %v %q (%v)", row.name, got.Verdict, got.Messages, got.Err)
		}
	}
	if got := run(t, &Leaks{}, "tR7#qLw9!vZx2@"); got.Verdict != policy.Error {
		t.Errorf("without a source: %v", got.Verdict)
	}
}

func TestLeaksThatAreAllowed(t *testing.T) {
	s := newService(t)
	for allowed, want := range map[int32]policy.Verdict{11: policy.Fail, 12: policy.Pass} {
		p := &judge{Env{Leaks: s.leaks(t)}, Config{PasswordField: "password", CheckLeaks: true, AllowedLeaks: allowed}}
		got, err := p.Evaluate(t.Context(), &policy.Request{Context: map[string]any{"password": leaked}, User: identity.Anonymous()})
		if err != nil || got.Verdict != want {
			t.Errorf("%d allowed: %v, %v", allowed, got.Verdict, err)
		}
	}
}

// Five digits of the hash leave the process; what is logged and recorded holds
// not even those.
func TestRule45OnlyFiveDigitsLeave(t *testing.T) {
	s := newService(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hash := hashOf(leaked)
	closed := httptest.NewServer(nil)
	closed.Close()
	sources := map[string]*Leaks{"down": {URL: closed.URL + "/range", Client: outbound.Client(nil), Logger: logger}}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"answers": nil, "refuses": status(429), "says nonsense": says(hash), "sends away": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		own := newService(t)
		own.answer = answer
		l := own.leaks(t)
		l.Logger = logger
		sources[name] = l
		t.Cleanup(func() {
			if asked := own.seen.String(); strings.Contains(asked, hash[:6]) || strings.Contains(asked, leaked) {
				t.Errorf("%s: more than five digits left: %s", name, asked)
			}
		})
	}
	for name, l := range sources {
		for range maxFailures + 1 {
			got := run(t, l, leaked)
			told := fmt.Sprintf("%v %+v %q", got.Err, got.Events, got.Messages)
			for _, secret := range []string{leaked, hash, strings.ToLower(hash), hash[:prefixDigits], hash[prefixDigits:]} {
				if strings.Contains(told, secret) {
					t.Errorf("%s: %q is in %s", name, secret, told)
				}
			}
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged, which proves nothing")
	}
	for _, secret := range []string{leaked, hash, hash[:prefixDigits]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
	if n, err := s.leaks(t).Count(t.Context(), hash); n != 12 || err != nil {
		t.Fatal(n, err)
	}
	if asked := s.seen.String(); !strings.HasPrefix(asked, "GET /range/"+hash[:5]+" HTTP/1.1\r\n") || !strings.Contains(asked, "Add-Padding: true\r\n") {
		t.Errorf("asked %s", asked)
	}
}
