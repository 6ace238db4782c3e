package duo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/duo/duotest"
	"github.com/weir-id/weir/internal/outbound"
)

func client(s *duotest.Server) *Client {
	return &Client{HTTP: s.Client, Host: s.Host, Key: duotest.Key, Secret: duotest.Secret, Now: time.Now}
}

// The example that Duo publishes for signatures with SHA-512.
func TestSignature(t *testing.T) {
	params := canonical(url.Values{"username": {"root"}, "realname": {"First Last"}})
	const want = "1bffb8924348f7db7da9e7d7d749ded93aafd02d8e904960da7b96c57510220185a64a2827ee8f24ac5d30802a9ee97e59de44b304b18242f0d596d15a8122af"
	got := sign("Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep", "Tue, 21 Aug 2012 17:29:18 -0000", "POST", "api-XXXXXXXX.duosecurity.com", "/accounts/v1/account/list", params)
	if got != want {
		t.Errorf("signature %s", got)
	}
}

func TestHosts(t *testing.T) {
	for name, want := range map[string]bool{
		"api-12345678.duosecurity.com": true, "127.0.0.1:8443": true, "localhost": true, "API.example.com": true,
		"": false, "https://api.example.com": false, "api.example.com/x": false, "a@b.example": false, "api.example.com:0": false, "api.example.com:99999": false,
		"api..example.com": false, "-a.example.com": false, "a.example.com.": false, "a b": false, "a\r\nb": false, "[::1]:1": false, "x?y": false, "x#y": false,
		strings.Repeat("a", 254): false,
	} {
		if ValidHost(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestEnrolment(t *testing.T) {
	s := duotest.New(t)
	c := client(s)
	e, err := c.Enrol(t.Context(), "ann ä+&=~*'@example.com")
	if err != nil || !strings.HasPrefix(e.Code, "duo://") || e.Barcode == "" {
		t.Fatalf("%+v, %v", e, err)
	}
	var refused *Error
	if _, err := c.Enrol(t.Context(), "ann ä+&=~*'@example.com"); !errors.As(err, &refused) || refused.Code != 40003 || !strings.Contains(err.Error(), "username already exists") {
		t.Errorf("the same name: %v", err)
	}
	expect := func(name string, e *Enrolment, want Status) {
		t.Helper()
		if got, err := c.Status(t.Context(), e); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	expect("before the phone", e, Waiting)
	expect("another code", &Enrolment{UserID: e.UserID, Code: "duo://x"}, Invalid)
	s.Activate("ann ä+&=~*'@example.com")
	expect("after it", e, Success)
	c.Secret = "another"
	if _, err := c.Status(t.Context(), e); !errors.As(err, &refused) || refused.Code != 40103 {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestPush(t *testing.T) {
	s := duotest.New(t)
	s.Add(duotest.User{ID: "DU1", Username: "ann", Enrolled: true})
	c := client(s)
	a, err := c.Push(t.Context(), &Push{UserID: "DU1", Title: "Weir", Username: "ann", Client: netip.MustParseAddr("192.0.2.7"),
		Info: []Line{{"Domain", "id.example.com"}, {"Application", "Wiki & more=x"}}})
	if err != nil || !a.Allowed() {
		t.Fatalf("%+v, %v", a, err)
	}
	sent := s.Pushes()[0]
	info, err := url.ParseQuery(sent.Get("pushinfo"))
	if err != nil || fmt.Sprint(info) != "map[Application:[Wiki & more=x] Domain:[id.example.com]]" {
		t.Errorf("pushinfo %v, %v", info, err)
	}
	if sent.Get("factor") != "push" || sent.Get("device") != "auto" || sent.Get("ipaddr") != "192.0.2.7" || sent.Get("type") != "Weir" || sent.Get("display_username") != "ann" {
		t.Errorf("sent %v", sent)
	}
	s.Answer("deny", StatusFraud)
	if a, err = c.Push(t.Context(), &Push{UserID: "DU1"}); err != nil || a.Allowed() || a.Status != StatusFraud {
		t.Errorf("%+v, %v", a, err)
	}
	s.Answer("yes", "")
	if a, err = c.Push(t.Context(), &Push{UserID: "DU1"}); err == nil || a.Allowed() {
		t.Errorf("neither yes nor no: %+v, %v", a, err)
	}
	if a, err = c.Push(t.Context(), &Push{UserID: "DU2"}); err == nil || a.Allowed() {
		t.Errorf("nobody: %+v, %v", a, err)
	}
}

// Whoever leaves ends the push on our side.
func TestAPushEndsWithItsContext(t *testing.T) {
	s := duotest.New(t)
	s.Add(duotest.User{ID: "DU1", Username: "ann", Enrolled: true})
	t.Cleanup(s.Hold())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := client(s).Push(ctx, &Push{UserID: "DU1"}); done <- err }()
	for len(s.Pushes()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("the push ends by itself: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestUsers(t *testing.T) {
	s := duotest.New(t)
	for i := range 5 {
		s.Add(duotest.User{ID: fmt.Sprint("DU", i), Username: fmt.Sprint("user", i), Enrolled: i%2 == 0})
	}
	c := client(s)
	if err := c.Users(t.Context(), func([]User) error { return nil }); err == nil {
		t.Error("the keys of the Auth API list users")
	}
	c.Key, c.Secret = duotest.AdminKey, duotest.AdminSecret
	var pages []int
	var last User
	if err := c.Users(t.Context(), func(l []User) error { pages = append(pages, len(l)); last = l[len(l)-1]; return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(pages) != "[2 2 1]" || last != (User{"DU4", "user4", true}) {
		t.Errorf("pages %v, last %+v", pages, last)
	}
	stop := errors.New("enough")
	if err := c.Users(t.Context(), func([]User) error { return stop }); err != stop {
		t.Error(err)
	}
}

// Servers that are no Duo.
func TestOddAnswers(t *testing.T) {
	for _, row := range []struct {
		name, want string
		serve      http.HandlerFunc
	}{
		{"no JSON", "no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }},
		{"another shape", "another shape", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"stat":"OK","response":7}`)) }},
		{"nobody", "enrolled nobody", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"stat":"OK","response":{}}`)) }},
		{"an error that says OK", "code 0", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"stat":"OK","response":{"user_id":"x","activation_code":"y"}}`))
		}},
		{"a redirect", "no JSON", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"without an end", outbound.ErrTooLarge.Error(), func(w http.ResponseWriter, _ *http.Request) {
			for part := make([]byte, 64<<10); ; {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}},
		{"words on lines of their own", "code 7: a b " + strings.Repeat("x", maxText-4), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"stat":"FAIL","code":7,"message":"a\r\nb %s"}`, strings.Repeat("x", 1000))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			other := 0
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					other++
				}
				row.serve(w, r)
			}))
			t.Cleanup(s.Close)
			h := HTTP()
			h.Transport = s.Client().Transport
			c := &Client{HTTP: h, Host: strings.TrimPrefix(s.URL, "https://"), Key: "key", Secret: "secret", Now: time.Now}
			_, err := c.Enrol(t.Context(), "ann")
			if err == nil || !strings.HasSuffix(err.Error(), row.want) && !strings.Contains(err.Error(), row.want+" ") && !strings.Contains(err.Error(), row.want+":") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
			if other > 0 {
				t.Error("what is for Duo went elsewhere")
			}
		})
	}
}

// Nothing is sent to whom the certificate is not of.
func TestTheCertificateCounts(t *testing.T) {
	s := duotest.New(t)
	c := client(s)
	c.HTTP = HTTP()
	if _, err := c.Enrol(t.Context(), "ann"); err == nil || len(s.Users()) > 0 {
		t.Errorf("an unknown authority: %v", err)
	}
	c.Host = "https://x"
	if _, err := c.Enrol(t.Context(), "ann"); err == nil {
		t.Error("a host that is none was called")
	}
}
