package notification

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// received is a request that a receiver got.
type received struct {
	header http.Header
	body   []byte
}

// receiver is a server that takes webhooks.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	all []received
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		r.mu.Lock()
		r.all = append(r.all, received{q.Header, body})
		r.mu.Unlock()
		if answer != nil {
			answer(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// hook tells Ada of an event through a webhook and returns what the job said.
func (b *bench) hook(ada *identity.Person, e event.Event, url string, change func(*rule.Transport)) error {
	b.t.Helper()
	b.config.rules, b.config.bindings, b.failures = nil, nil, nil
	r := b.config.rule(func(r *rule.Rule) { r.DestinationEventUser, r.Severity = true, rule.Alert }, b.config.transport(rule.Webhook, func(t *rule.Transport) {
		t.WebhookURL = url
		if change != nil {
			change(t)
		}
	}))
	b.config.bind(r.ID, yes, nil)
	e.User = ada
	b.record(e)
	b.work()
	return errors.Join(b.failures...)
}

// mapping adds a mapping with an expression.
func (c *config) mapping(body string) *uuid.UUID {
	m := &rule.Mapping{Name: "a mapping", Expression: body}
	m.ID = uuid.New()
	c.mappings[m.ID] = m
	return &m.ID
}

const signingSecret = "a secret of the receiver"

func TestWhatAWebhookGets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db, nil)
		ada := b.user("ada", true)
		r := newReceiver(t, nil)
		err := b.hook(ada, event.Event{Action: "custom_hook", App: "test", Context: map[string]any{"message": "It is <done>."}}, r.URL,
			func(t *rule.Transport) { t.WebhookSigningSecret = signingSecret })
		if err != nil || len(r.got()) != 1 {
			t.Fatalf("%d requests, %v", len(r.got()), err)
		}
		got := r.got()[0]
		var body any
		if err := json.Unmarshal(got.body, &body); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"body": "It is <done>.", "severity": "alert", "user_email": "ada@example.org", "user_username": "ada",
			"event_user_email": "ada@example.org", "event_user_username": "ada"}
		if diff := cmp.Diff(any(want), body); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		if got.header.Get("Content-Type") != "application/json" || got.header.Get("User-Agent") != "Weir/test" {
			t.Errorf("headers: %v", got.header)
		}
		delivery := got.header.Get("Weir-Delivery")
		if _, err := uuid.Parse(delivery); err != nil {
			t.Errorf("delivery %q", delivery)
		}
		mac := hmac.New(sha256.New, []byte(signingSecret))
		fmt.Fprintf(mac, "%d.%s.%s", noon.Unix(), delivery, got.body)
		if want := fmt.Sprintf("t=%d,v1=%s", noon.Unix(), hex.EncodeToString(mac.Sum(nil))); got.header.Get("Weir-Signature") != want {
			t.Errorf("signature %q, want %q", got.header.Get("Weir-Signature"), want)
		}
	})
}

func TestAnEventAboutNobodyNamesNobody(t *testing.T) {
	n := &Notification{User: identity.NewPerson(identity.User{ID: 1, Username: "ada", Email: "a@example.org"}, nil), Severity: rule.Notice, Body: "b",
		Event: &event.Recorded{Action: "custom_x", User: map[string]any{}}}
	got, err := json.Marshal(usual(rule.Webhook, n, "test"))
	if want := `{"body":"b","severity":"notice","user_email":"a@example.org","user_username":"ada"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestMappingsShapeWebhooks(t *testing.T) {
	b := newBench(t, storetest.SQLite(t), nil)
	ada := b.user("ada", true)
	rows := []struct {
		name, body, headers string
		want, header        string
		fails               string // in the text of the error
	}{
		{"a body of its own", `return {"text": notification.body, "n": [1, 2.5, None, True], "to": user.username, "how": notification.severity, "is": request.user == user}`, "",
			`{"how":"alert","is":true,"n":[1,2.5,null,true],"text":"Done.","to":"ada"}`, "", ""},
		{"what the event says", `return [notification.event.action, notification.event.app, notification.event.context["message"], notification.event.user["username"]]`, "",
			`["custom_hook","test","Done.","ada"]`, "", ""},
		{"nothing means the usual body", `return None`, "", `{"body":"Done.","severity":"alert","user_email":"ada@example.org","user_username":"ada","event_user_email":"ada@example.org","event_user_username":"ada"}`, "", ""},
		{"headers", "return 1", `return {"X-Key": "k " + user.username, "Weir-Signature": "forged", "Weir-Delivery": "forged"}`, "1", "k ada", ""},
		{"an event besides", "ak_create_event('besides')\nreturn 1", "", "1", "", ""},
		{"an object that is skipped", "raise SkipObject", "", "", "", ""},
		{"headers that are skipped", "return 1", "raise SkipObject", "", "", ""},
		{"an exception", `return {}["s3cret"]`, "", "", "", "has failed"},
		{"a whole person, by mistake", "return {'who': [user]}", "", "", "", "has failed"},
		{"a whole notification, by mistake", "return notification", "", "", "", "has failed"},
		{"headers that are no dict", "return 1", `return "s3cret"`, "", "", "has to return a dict"},
		{"a header that ends early", "return 1", `return {"X-Key": "a\r\nX-Other: s3cret"}`, "", "", "cannot be sent"},
		{"a header of the connection", "return 1", `return {"host": "s3cret"}`, "", "", "cannot be sent"},
		{"a name that is none", "return 1", `return {"a b": "s3cret"}`, "", "", "cannot be sent"},
		{"a header of another type", "return 1", `return {"X-Key": ["s3cret"]}`, "", "", "cannot be sent"},
		{"a body that is too large", `return "x" * 300000`, "", "", "", "bytes, more than"},
		{"a body that never comes", "while True:\n    pass", "", "", "", "has failed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newReceiver(t, nil)
			err := b.hook(ada, event.Event{Action: "custom_hook", App: "test", Context: map[string]any{"message": "Done."}}, r.URL, func(tr *rule.Transport) {
				tr.WebhookMappingBody = b.config.mapping(row.body)
				if row.headers != "" {
					tr.WebhookMappingHeaders = b.config.mapping(row.headers)
				}
			})
			var cancel *river.JobCancelError
			switch {
			case row.fails != "" && (err == nil || !errors.As(err, &cancel) || !strings.Contains(err.Error(), row.fails) || strings.Contains(err.Error(), "s3cret")):
				t.Errorf("the job said %v", err)
			case row.fails == "" && err != nil:
				t.Error(err)
			}
			got := ""
			for _, q := range r.got() {
				got += string(q.body)
				if q.header.Get("X-Key") != row.header || q.header.Get("Weir-Signature") != "" || q.header.Get("Weir-Delivery") == "forged" {
					t.Errorf("headers %v", q.header)
				}
			}
			if got != row.want {
				t.Errorf("the receiver got %s", got)
			}
		})
	}
	failures, others := 0, 0
	for _, action := range b.actions() {
		switch action {
		case string(event.PropertyMappingException):
			failures++
		case "custom_besides":
			others++
		}
	}
	if failures != 4 || others != 1 || b.asked != len(rows) {
		t.Errorf("%d exceptions were recorded, and the rules were asked %d times", failures, b.asked)
	}
}

func TestAnswersOfReceivers(t *testing.T) {
	b := newBench(t, storetest.SQLite(t), nil)
	ada := b.user("ada", true)
	type result struct {
		Done, Cancelled bool
		Snoozed         time.Duration
	}
	again := result{}
	rows := []struct {
		name   string
		status int
		after  string
		want   result
	}{
		{"accepted", 204, "", result{Done: true}},
		{"a fault of the message", 400, "", result{Cancelled: true}},
		{"not found", 404, "5", result{Cancelled: true}},
		{"not modified", 304, "", result{Cancelled: true}},
		{"a fault of the receiver", 500, "", again},
		{"busy", 503, "", again},
		{"busy for seconds", 503, " 7 ", result{Snoozed: 7 * time.Second}},
		{"too many", 429, "120", result{Snoozed: 2 * time.Minute}},
		{"busy until a time", 503, noon.Add(90 * time.Second).Format(http.TimeFormat), result{Snoozed: 90 * time.Second}},
		{"busy until a time that is past", 503, noon.Add(-time.Hour).Format(http.TimeFormat), again},
		{"busy for years", 429, "99999999", result{Snoozed: time.Hour}},
		{"busy for nonsense", 429, "-3", again},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.after != "" {
					w.Header().Set("Retry-After", row.after)
				}
				w.WriteHeader(row.status)
			})
			err := b.hook(ada, event.Event{Action: "custom_hook"}, r.URL, nil)
			got := result{Done: err == nil}
			var cancelled *river.JobCancelError
			got.Cancelled = errors.As(err, &cancelled)
			var snoozed *river.JobSnoozeError
			if errors.As(err, &snoozed) {
				got.Snoozed = snoozed.Duration
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What is sent is for the server that the administrator named and nobody else.
func TestRedirectsLeadNowhereElse(t *testing.T) {
	b := newBench(t, storetest.SQLite(t), nil)
	ada := b.user("ada", true)
	other := newReceiver(t, nil)
	for _, row := range []struct {
		name   string
		status int
		to     string
		want   int // requests that the receiver got
	}{
		{"to another server, with the message", 307, other.URL + "/", 1},
		{"to another server", 302, other.URL + "/", 1},
		{"here, but without the message", 302, "/other", 1},
		{"here, with the message", 308, "/other", 2},
		{"round and round", 307, "/", 1 + outbound.MaxRedirects},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
				if q.URL.Path == "/" {
					w.Header().Set("Location", row.to)
					w.WriteHeader(row.status)
				}
			})
			err := b.hook(ada, event.Event{Action: "custom_hook"}, r.URL+"/", nil)
			var cancelled *river.JobCancelError
			if delivered := row.status == 308; delivered != (err == nil) || !delivered && !errors.As(err, &cancelled) {
				t.Errorf("the job said %v", err)
			}
			if n := len(r.got()); n != row.want {
				t.Errorf("%d requests, want %d", n, row.want)
			}
			if len(r.got()) == 2 && string(r.got()[0].body) != string(r.got()[1].body) {
				t.Error("the message was lost on the way")
			}
		})
	}
	if len(other.got()) > 0 {
		t.Errorf("another server got %s", other.got()[0].body)
	}
}

func TestReceiversThatDoNotBehave(t *testing.T) {
	client := outbound.Client(nil)
	client.Timeout = 300 * time.Millisecond
	b := newBench(t, storetest.SQLite(t), func(c *Config) { c.Client = client })
	ada := b.user("ada", true)
	const key = "/T0P-s3cret-key"
	failed := func(t *testing.T, err error) {
		t.Helper()
		var cancelled *river.JobCancelError
		if err == nil || errors.As(err, &cancelled) {
			t.Errorf("the job said %v, want another attempt", err)
		}
		if strings.Contains(fmt.Sprint(err), key) || strings.Contains(fmt.Sprint(err), "127.0.0.1") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
	t.Run("no answer", func(t *testing.T) {
		r := newReceiver(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		failed(t, b.hook(ada, event.Event{Action: "custom_hook"}, r.URL+key, nil))
	})
	t.Run("nobody there", func(t *testing.T) {
		r := newReceiver(t, nil)
		r.Close()
		failed(t, b.hook(ada, event.Event{Action: "custom_hook"}, r.URL+key, nil))
	})
	t.Run("no HTTP", func(t *testing.T) {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = buf.WriteString("SSH-2.0-nothing\r\n")
			_ = buf.Flush()
			_ = conn.Close()
		})
		failed(t, b.hook(ada, event.Event{Action: "custom_hook"}, r.URL+key, nil))
	})
	t.Run("an answer without end", func(t *testing.T) {
		r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
			for chunk := make([]byte, 1<<16); q.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		if err := b.hook(ada, event.Event{Action: "custom_hook"}, r.URL, nil); err != nil {
			t.Errorf("the status says that all is well: %v", err)
		}
	})
}

func TestSlackGetsAnAttachment(t *testing.T) {
	details := map[string]any{"message": "Hello.", "number": 7, "nested": map[string]any{"a": "b"}}
	for i := range 40 {
		details[fmt.Sprintf("z%02d", i)] = "text"
	}
	n := &Notification{User: identity.NewPerson(identity.User{ID: 1, Username: "ada"}, nil), Severity: rule.Warning, Body: "Hello.", Link: "https://example.org/",
		Event: &event.Recorded{Action: "custom_x", User: map[string]any{"username": "eve", "email": "eve@example.org"}, Context: details}}
	got := slackMessage(n, "1").Attachments[0]
	if got.Title != "custom_x" || got.Text != "Hello." || got.Link != "https://example.org/" || len(got.Fields) != 25 {
		t.Errorf("%d fields in %+v", len(got.Fields), got)
	}
	want := []slackField{{"Severity", "warning", true}, {"Dispatched for user", "ada", true}, {"Event user", "eve (eve@example.org)", true},
		{"message", "Hello.", true}, {"z00", "text", true}}
	if diff := cmp.Diff(want, got.Fields[:5]); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}
