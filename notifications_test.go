package weir

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/mail/mailtest"
	"github.com/weir-id/weir/internal/store"
)

// hooks is a server that takes webhooks.
type hooks struct {
	*httptest.Server
	mu  sync.Mutex
	got []hook
}

type hook struct{ delivery, signature, body string }

// newHooks makes one; answer tells the status of the nth request, from 1.
func newHooks(t *testing.T, answer func(n int) int) *hooks {
	t.Helper()
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		h.mu.Lock()
		h.got = append(h.got, hook{r.Header.Get("Weir-Delivery"), r.Header.Get("Weir-Signature"), string(body)})
		n := len(h.got)
		h.mu.Unlock()
		w.WriteHeader(answer(n))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) all() []hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

const hookSecret = "the secret of the webhook"

// tell makes a rule that tells a user of the events of an action, and returns
// its key and that of its transport.
func (o *office) tell(user int64, action string, transport m) (rule, through string) {
	o.t.Helper()
	group := o.group("readers of "+action, m{"users": []int64{user}})
	through = o.must("POST", "events/transports/", transport)["pk"].(string)
	rule = o.must("POST", "events/rules/", m{"name": "rule of " + action, "severity": "alert", "transports": []string{through}, "destination_group": group})["pk"].(string)
	p := o.must("POST", "policies/expression/", m{"name": "is " + action, "expression": fmt.Sprintf("return context['event'].action == %q", action)})
	o.must("POST", "policies/bindings/", m{"target": rule, "policy": p["pk"], "order": 0})
	return rule, through
}

func (o *office) happen(action, message string) {
	o.t.Helper()
	o.must("POST", "events/events/", m{"action": action, "app": "test", "context": m{"message": message}})
}

func TestAWebhookIsSignedAndTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		h := newHooks(t, func(n int) int {
			if n == 1 {
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		ada := o.user("ada", m{"email": "ada@example.org"})
		o.tell(ada, "update_available", m{"name": "hook", "mode": "webhook", "webhook_url": h.URL, "webhook_signing_secret": hookSecret})
		o.happen("export_ready", "Not this one.")
		o.happen("update_available", "Ping.")
		until(t, func() bool { return len(h.all()) > 1 })
		got := h.all()
		if len(got) != 2 || got[0].delivery != got[1].delivery || got[0].delivery == "" || got[0].body != got[1].body {
			t.Fatalf("the attempts are %+v", got)
		}
		for _, g := range got {
			at, v1, _ := strings.Cut(g.signature, ",")
			mac := hmac.New(sha256.New, []byte(hookSecret))
			fmt.Fprintf(mac, "%s.%s.%s", strings.TrimPrefix(at, "t="), g.delivery, g.body)
			if v1 != "v1="+hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("the signature %q is not that of %s", g.signature, g.body)
			}
			if !strings.Contains(g.body, `"body":"Ping."`) || !strings.Contains(g.body, `"user_username":"ada"`) || !strings.Contains(g.body, `"severity":"alert"`) {
				t.Errorf("the receiver got %s", g.body)
			}
		}
	})
}

func TestSeveralNodesTellOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		start(t, s)
		h := newHooks(t, func(int) int { return http.StatusOK })
		ada := o.user("ada", nil)
		o.tell(ada, "update_available", m{"name": "hook", "mode": "webhook", "webhook_url": h.URL})
		const events = 20
		for i := range events {
			o.happen("update_available", fmt.Sprint("Ping ", i))
		}
		until(t, func() bool { return len(h.all()) >= events && o.jobsLeft() == 0 })
		different := map[string]bool{}
		for _, g := range h.all() {
			different[g.delivery] = true
		}
		if len(h.all()) != events || len(different) != events {
			t.Errorf("%d requests for %d deliveries of %d events", len(h.all()), len(different), events)
		}
	})
}

// jobsLeft counts the jobs about notifications that are not done.
func (o *office) jobsLeft() int {
	o.t.Helper()
	var n int
	if err := o.site.db.QueryRow(o.t.Context(), "select count(*) from river_job where queue = 'notifications' and state not in ('completed', 'cancelled', 'discarded')").Scan(&n); err != nil {
		o.t.Fatal(err)
	}
	return n
}

// Nobody waits for a receiver: people sign in while it thinks.
func TestAReceiverThatHangsHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		asked, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		h := newHooks(t, func(int) int {
			once.Do(func() { close(asked) })
			<-release
			return http.StatusOK
		})
		t.Cleanup(func() { close(release) })
		ada := o.user("ada", nil)
		o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "the plain password"})
		o.tell(ada, "login", m{"name": "hook", "mode": "webhook", "webhook_url": h.URL})
		for i := range 3 {
			if r := visit(t, o.site).signIn("ada", "the plain password"); r.component() != "xak-flow-redirect" {
				t.Fatalf("sign in %d leads to %v", i, r.body)
			}
			if i == 0 {
				<-asked
			}
		}
	})
}

// A mail is recorded as an event, which must not be mailed in turn.
func TestNotificationsAreMailedOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		server := mailtest.New(t, mailtest.Config{})
		var err error
		if s.Mail.Server, err = config.ParseMailServer("smtp://" + server.Addr); err != nil {
			t.Fatal(err)
		}
		s.Mail.From = &mail.Address{Address: "no-reply@example.org"}
		o := openOffice(t, s)
		ada := o.user("ada", m{"email": "ada@example.org"})
		rule, _ := o.tell(ada, "update_available", m{"name": "mail", "mode": "email", "email_subject_prefix": "Weir says: "})
		p := o.must("POST", "policies/event_matcher/", m{"name": "mails", "action": "email_sent"})
		o.must("POST", "policies/bindings/", m{"target": rule, "policy": p["pk"], "order": 1})
		o.must("POST", "core/groups/"+o.must("GET", "events/rules/"+rule+"/", nil)["destination_group"].(string)+"/add_user/", m{"pk": o.user("without", nil)})
		o.happen("update_available", "There is <more>.")
		got := server.Wait(t, 1)[0]
		if got.Header.Get("Subject") != "Weir says: update_available" || !slices.Equal(got.To, []string{"ada@example.org"}) || !strings.Contains(string(got.Body), "There is") {
			t.Errorf("the mail to %v is %v\n%s", got.To, got.Header, got.Body)
		}
		until(t, func() bool { return strings.Contains(o.events(), "email_sent") && o.jobsLeft() == 0 })
		var mails int
		if err := o.site.db.QueryRow(t.Context(), "select count(*) from mails").Scan(&mails); err != nil || mails != 1 {
			t.Errorf("%d mails, %v", mails, err)
		}
	})
}

func TestPeopleReadTheirOwnNotifications(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada, bob := o.user("ada", nil), o.user("bob", nil)
		adas, bobs := o.token(ada), o.token(bob)
		o.tell(ada, "update_available", m{"name": "here", "mode": "local"})
		for _, text := range []string{"One.", "Two.", "Three."} {
			o.happen("update_available", text)
		}
		list := func(token, query string) []m {
			a := o.call(token, "GET", "events/notifications/"+query, nil)
			if a.status != 200 {
				t.Fatalf("list %s = %d %s", query, a.status, a.raw)
			}
			return results(a.object)
		}
		until(t, func() bool { return len(list(adas, "")) == 3 })
		one := list(adas, "?search=one")
		if len(one) != 1 {
			t.Fatalf("found %v", one)
		}
		n := one[0]
		about, _ := n["event"].(map[string]any)
		if n["body"] != "One." || n["severity"] != "alert" || n["seen"] != false || about["action"] != "update_available" {
			t.Errorf("the notification is %v", n)
		}
		path := "events/notifications/" + n["pk"].(string) + "/"
		// Not even a superuser reads what others were told.
		for name, token := range map[string]string{"bob": bobs, "the superuser": root} {
			if got := list(token, ""); len(got) != 0 {
				t.Errorf("%s sees %v", name, got)
			}
			for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
				if a := o.call(token, method, path, m{"seen": true}); a.status != 404 {
					t.Errorf("%s %s as %s = %d %s", method, path, name, a.status, a.raw)
				}
			}
			if a := o.call(token, "POST", "events/notifications/mark_all_seen/", nil); a.status != 204 {
				t.Errorf("mark all seen as %s = %d %s", name, a.status, a.raw)
			}
		}
		if got := list(adas, "?seen=false"); len(got) != 3 {
			t.Errorf("%d are new after others have marked theirs", len(got))
		}
		if a := o.call(adas, "PATCH", path, m{"seen": true, "body": "Other.", "user": bob}); a.status != 200 || a.object["seen"] != true || a.object["body"] != "One." {
			t.Errorf("mark as seen = %d %s", a.status, a.raw)
		}
		if a := o.call(adas, "DELETE", "events/notifications/"+list(adas, "?search=two")[0]["pk"].(string)+"/", nil); a.status != 204 {
			t.Errorf("delete = %d %s", a.status, a.raw)
		}
		if a := o.call(adas, "POST", "events/notifications/mark_all_seen/", nil); a.status != 204 || len(list(adas, "?seen=false")) != 0 || len(list(adas, "?seen=true")) != 2 {
			t.Errorf("mark all as seen = %d, then %v", a.status, list(adas, ""))
		}
		// The event goes, its notification stays; the person goes, and it goes too.
		o.must("DELETE", "events/events/"+about["pk"].(string)+"/", nil)
		if a := o.call(adas, "GET", path, nil); a.status != 200 || a.object["event"] != nil {
			t.Errorf("without its event = %d %s", a.status, a.raw)
		}
		o.must("DELETE", fmt.Sprintf("core/users/%d/", ada), nil)
		left, err := store.Select(t.Context(), o.site.db, store.Column[string], "select id from notifications")
		if err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	})
}

// The default rules tell administrators of errors, and leave alone what happens
// all the time.
func TestTheDefaultRulesTellOfErrorsOnly(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		if r := visit(t, o.site).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("signing in leads to %v", r.body)
		}
		o.user("ada", nil)
		var jobs int
		if err := o.site.db.QueryRow(t.Context(), "select count(*) from river_job where queue = 'notifications'").Scan(&jobs); err != nil || jobs != 0 {
			t.Errorf("%d jobs, %v", jobs, err)
		}
		told := map[string]bool{}
		for _, action := range []string{"configuration_error", "configuration_warning", "policy_exception", "property_mapping_exception", "login"} {
			o.happen(action, "It was "+action+".")
		}
		until(t, func() bool {
			for _, n := range results(o.must("GET", "events/notifications/", nil)) {
				told[n["body"].(string)] = n["severity"] == "alert"
			}
			return len(told) >= 4 && o.jobsLeft() == 0
		})
		for _, action := range []string{"configuration_error", "policy_exception", "property_mapping_exception"} {
			if !told["It was "+action+"."] {
				t.Errorf("%s: told %v", action, told)
			}
		}
		if warned, ok := told["It was configuration_warning."]; len(told) != 4 || !ok || warned {
			t.Errorf("told %v", told)
		}
	})
}
