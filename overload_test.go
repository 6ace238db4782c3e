package weir

import (
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/store"
)

const loginPage = "/if/flow/default-authentication-flow/?next=%2Fif%2Fuser%2F"

// count is the number that a query gives.
func count(t *testing.T, site *Server, sql string) int {
	t.Helper()
	var n int
	if err := site.db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// overload keeps the only worker of the hash queue busy and its only waiting
// place taken until done is called.
func overload(t *testing.T, site *Server) (done func()) {
	t.Helper()
	var work sync.WaitGroup
	begun, release := make(chan struct{}), make(chan struct{})
	work.Go(func() {
		if err := site.hashing.Do(t.Context(), func() { close(begun); <-release }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	// Places are given back after five seconds, so whoever waits comes again.
	work.Go(func() {
		for {
			select {
			case <-release:
				return
			default:
				_ = site.hashing.Do(t.Context(), func() {})
			}
		}
	})
	until(t, func() bool { return site.hashing.Waiting() == 1 })
	return func() { close(release); work.Wait() }
}

// until polls for what has to become true.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

var hidden = regexp.MustCompile(`name="(weir\.[a-z]+)" value="([^"]*)"`)

// post submits the form of a page with its hidden fields.
func (c *client) post(path, page string, fields url.Values) reply {
	c.t.Helper()
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return c.do("POST", path, fields.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func TestAFullHashQueueLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		s.Hashing.Workers, s.Hashing.Queue = 1, 1
		site := start(t, s)
		program, person, early := visit(t, site), visit(t, site), visit(t, site)
		program.do("POST", loginFlow, `{"uid_field":"akadmin"}`)
		page := person.page(t, loginPage)
		if r := person.post(loginPage, page, url.Values{"uid_field": {"akadmin"}}); r.status != http.StatusSeeOther {
			t.Fatalf("the name leads to %d", r.status)
		}
		page = person.page(t, loginPage)
		before := count(t, site, "select sum(version) from executions")

		done := overload(t, site)
		for i := range 7 { // more than the wrong answers that end the flow
			r := program.do("POST", loginFlow, `{"password":"wrong"}`)
			if detail, _ := r.body["detail"].(string); r.status != 503 || r.header.Get("Retry-After") != "5" || !strings.Contains(detail, "just now") {
				t.Fatalf("guess %d: %d %v %s", i, r.status, r.header, r.raw)
			}
		}
		r := person.post(loginPage, page, url.Values{"password": {"correct horse"}})
		if r.status != 503 || r.header.Get("Retry-After") != "5" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("the page: %d %v", r.status, r.header)
		}
		for _, want := range []string{"Very busy at the moment", "Try again in 5 seconds.", "Start again"} {
			if !strings.Contains(string(r.raw), want) {
				t.Errorf("the page does not say %q: %s", want, r.raw)
			}
		}
		if strings.Contains(string(r.raw), "correct horse") || strings.Contains(string(r.raw), "http-equiv") {
			t.Error("the page shows the password or loads itself again")
		}
		// A name costs a hash only where the stage asks for the password too.
		if r := early.do("POST", loginFlow, `{"uid_field":"nobody"}`); r.status != 302 {
			t.Errorf("a name alone: %d", r.status)
		}
		for _, path := range []string{"/-/health/live/", "/-/health/ready/", loginFlow} {
			if r := early.do("GET", path, ""); r.status != 200 {
				t.Errorf("%s: %d during the overload", path, r.status)
			}
		}
		if got := count(t, site, "select count(*) from session_counters"); got != 0 {
			t.Errorf("%d guesses were counted", got)
		}
		if got := count(t, site, "select count(*) from events where action = 'login_failed'"); got != 0 {
			t.Errorf("%d failed logins were recorded", got)
		}
		if got := refusals(t, site)["hash"]; got < 8 {
			t.Errorf("%v refusals are in the metrics", got)
		}
		done()

		// The name without an account is an execution of its own.
		if got := count(t, site, "select sum(version) from executions"); got != before+1 {
			t.Errorf("the executions went from version %d to %d", before, got)
		}
		if r := person.post(loginPage, page, url.Values{"password": {"correct horse"}}); r.status != http.StatusSeeOther {
			t.Errorf("the same form again: %d", r.status)
		}
		if r := program.do("POST", loginFlow, `{"password":"correct horse"}`); r.status != 302 {
			t.Errorf("the right password afterwards: %d %s", r.status, r.raw)
		}
	})
}

// refusals are the requests told to try again, by reason.
func refusals(t *testing.T, site *Server) map[string]float64 {
	t.Helper()
	families, err := site.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "weir_refused_total" {
			for _, m := range f.GetMetric() {
				out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// TestOpenExecutionsTakeNoMemory opens flows in many browsers, each past its
// first stage. They live in the database, so that only what bounds itself grows.
func TestOpenExecutionsTakeNoMemory(t *testing.T) {
	const people = 1000
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	var clock atomic.Int64
	site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close(t.Context())
	begin := func(n int) {
		for range n {
			r := httptest.NewRequest("POST", loginFlow, strings.NewReader(`{"uid_field":"akadmin"}`))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			if w.Code != http.StatusFound {
				t.Fatalf("status %d %s", w.Code, w.Body)
			}
		}
	}
	heap := func() int64 {
		begin(10) // what is remembered for a moment is dropped by the next ones
		clock.Add(int64(time.Minute))
		begin(10)
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	begin(100)
	before, stored := heap(), count(t, site, "select count(*) from executions")
	begin(people)
	grown := heap() - before
	if got := count(t, site, "select count(*) from executions") - stored; got != people+20 {
		t.Fatalf("%d executions were stored", got)
	}
	t.Logf("%d bytes for each execution", grown/people)
	if grown/people > 512 { // a plan alone takes more
		t.Errorf("the memory grew by %d bytes for each of %d executions", grown/people, people)
	}

	// An hour later they are over, and the job that runs every few minutes
	// takes them away.
	if _, err := store.Clean(t.Context(), site.db, time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := count(t, site, "select count(*) from executions"); got != 0 {
		t.Errorf("%d executions are left", got)
	}
	if _, err := store.Clean(t.Context(), site.db, time.Now().Add(25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := count(t, site, "select count(*) from sessions"); got != 0 {
		t.Errorf("%d sessions are left", got)
	}
}

// TestAFullServerIsAliveAndRecovers fills the places with sign-ins that wait
// for a processor.
func TestAFullServerIsAliveAndRecovers(t *testing.T) {
	const places = 4
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	s.Hashing.Workers, s.Hashing.Queue = 1, 64
	s.Limits.Requests = places
	site := start(t, s)
	var people []*client
	for range places {
		c := visit(t, site)
		c.do("POST", loginFlow, `{"uid_field":"akadmin"}`)
		people = append(people, c)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		if err := site.hashing.Do(t.Context(), func() { close(begun); <-release }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	for _, c := range people {
		work.Go(func() {
			if r := c.do("POST", loginFlow, `{"password":"correct horse"}`); r.status != 302 {
				t.Errorf("a sign-in that waited got %d", r.status)
			}
		})
	}
	until(t, func() bool { return site.hashing.Waiting() == places })

	c := visit(t, site)
	page := c.do("GET", loginPage, "")
	if page.status != 503 || page.header.Get("Retry-After") != "5" || !strings.Contains(string(page.raw), "Very busy at the moment") ||
		!strings.Contains(string(page.raw), "Try again in 5 seconds.") {
		t.Errorf("the page: %d %v %s", page.status, page.header, page.raw)
	}
	if len(page.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a refusal sets cookies: %v", page.header)
	}
	if r := c.do("GET", loginFlow, ""); r.status != 503 || r.body["detail"] == nil || r.header.Get("Retry-After") != "5" {
		t.Errorf("the API: %d %s", r.status, r.raw)
	}
	style := regexp.MustCompile(`/static/[^"]+\.css`).FindString(string(page.raw))
	for _, path := range []string{"/-/health/live/", "/-/health/ready/", "/-/metrics/", style} {
		if r := c.do("GET", path, ""); r.status != 200 {
			t.Errorf("%s: %d while the server is full", path, r.status)
		}
	}
	if got := refusals(t, site); got["requests"] != 2 || got["client"]+got["probes"]+got["hash"] != 0 {
		t.Errorf("refused %v", got)
	}
	close(release)
	work.Wait()
	for _, path := range []string{loginPage, loginFlow} {
		if r := c.do("GET", path, ""); r.status != 200 {
			t.Errorf("%s: %d afterwards", path, r.status)
		}
	}
}

// TestAClientThatAsksTooOftenWaits: pages say so in words, programs get JSON, and the
// step can be taken afterwards.
func TestAClientThatAsksTooOftenWaits(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password, s.Limits.ClientRate = "correct horse", 1
	site := start(t, s)
	c := visit(t, site)
	var refused reply
	for end := time.Now().Add(time.Minute); refused.status != http.StatusTooManyRequests && time.Now().Before(end); {
		refused = c.do("POST", loginFlow, `{"uid_field":""}`)
	}
	if refused.status != http.StatusTooManyRequests || refused.header.Get("Retry-After") != "1" || refused.body["detail"] == "" {
		t.Fatalf("the API answers %d %v %s", refused.status, refused.header, refused.raw)
	}
	var page reply
	for end := time.Now().Add(time.Minute); page.status != http.StatusTooManyRequests && time.Now().Before(end); {
		page = c.do("GET", loginPage, "")
	}
	if page.status != http.StatusTooManyRequests || !strings.Contains(string(page.raw), "Too many attempts") {
		t.Errorf("the page answers %d\n%s", page.status, page.raw)
	}
	if other := visit(t, site); other.do("GET", "/static/dist/assets/icons/icon.svg", "").status != http.StatusOK {
		t.Error("files are refused, too")
	}
	until(t, func() bool { return c.do("GET", "/api/v3/root/config/", "").status == http.StatusOK })
}
