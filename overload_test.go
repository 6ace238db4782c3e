package weir

import (
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
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
	"unicode"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/telemetry"
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
			if detail, _ := r.body["detail"].(string); r.status != 503 || r.header.Get("Retry-After") != "5" || !strings.Contains(detail, "too busy") {
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

func TestLimitsOfWhatIsSent(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Token, s.Bootstrap.Password = rootToken, "correct horse"
	site := start(t, s)
	c := visit(t, site)
	nested := func(n int) string {
		return `{"name":"n","username":"n%d","attributes":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) + "}"
	}
	fields := func(n int, name func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = name(i) + "=1"
		}
		return strings.Join(parts, "&")
	}
	own := func(i int) string { return fmt.Sprint("f", i) }
	big := strings.Repeat("x", 1<<20)
	const form, json, users, imports = "application/x-www-form-urlencoded", "application/json", "/api/v3/core/users/", "/api/v3/managed/blueprints/import/"
	upload := func(file string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.yaml\"\r\n\r\n" + file + "\r\n--b--\r\n"
	}
	const multipart = "multipart/form-data; boundary=b"
	rows := []struct {
		name, path, kind, body string
		status                 int
		text                   string
	}{
		{"nesting within the limit", users, json, fmt.Sprintf(nested(60), 1), 201, "username"},
		{"nesting beyond it", users, json, fmt.Sprintf(nested(70), 2), 400, "nested more than 64 deep"},
		{"nesting that no parser takes", users, json, strings.Repeat("[", 20_000), 400, "is not JSON"},
		{"nesting in an answer to a flow", loginFlow, json, `{"uid_field":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`, 200, "uid_field"},
		{"too large a call", users, json, `{"name":"` + big + `"}`, 413, `"detail":"The request body is too large."`},
		{"too large an answer to a flow", loginFlow, json, `{"uid_field":"` + big + `"}`, 413, `"detail":"The request body is too large."`},
		{"too large a form", loginPage, form, "uid_field=" + big[:300<<10], 413, "What you sent is too large"},
		{"as many fields as a form may have", loginPage, form, fields(200, own), 422, "<form"},
		{"too many fields", loginPage, form, fields(201, own), 413, "What you sent is too large"},
		{"one field too often", loginPage, form, fields(201, func(int) string { return "uid_field" }), 413, "What you sent is too large"},
		{"too large a blueprint", imports, multipart, upload(big), 413, `"detail":"The request body is too large."`},
		{"a blueprint nested too deep", imports, multipart, upload("version: 1\nentries: " + strings.Repeat("[", 100) + strings.Repeat("]", 100)), 200, "nested deeper than 64 levels"},
		{"too many parts of a form", imports, multipart, strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 2000) + "--b--\r\n", 400, "cannot be read"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			header := []string{"Content-Type", row.kind}
			if row.path != loginPage && row.path != loginFlow {
				header = append(header, "Authorization", "Bearer "+rootToken)
			}
			c.t = t
			r := c.do("POST", row.path, row.body, header...)
			if r.status != row.status || !strings.Contains(string(r.raw), row.text) {
				t.Errorf("%d %.300s, want %d with %q", r.status, r.raw, row.status, row.text)
			}
		})
	}
}

// TestABodyThatStopsIsNoAnswer cuts off the answer to a flow: the flow is where
// it was, and nothing went wrong on our side.
func TestABodyThatStopsIsNoAnswer(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Token = rootToken
	site := start(t, s)
	srv := httptest.NewUnstartedServer(site)
	srv.Config.ReadTimeout = 200 * time.Millisecond
	srv.Start()
	defer srv.Close()
	for _, row := range []struct {
		path, kind, want string
	}{
		{loginFlow, "application/json", "HTTP/1.1 408 "},
		{"/api/v3/core/users/", "application/json", "HTTP/1.1 408 "},
		{loginPage, "application/x-www-form-urlencoded", "HTTP/1.1 400 "},
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 40\r\n\r\n{", row.path, rootToken, row.kind)
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), row.want) || strings.Contains(string(got), "flow-error") {
			t.Errorf("%s: %v %.600s", row.path, err, got)
		}
	}
	if got := count(t, site, "select count(*) from executions"); got != 0 {
		t.Errorf("%d executions were begun", got)
	}
}

func TestStrangersWhoLookWriteNothing(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := start(t, s)
		rows := func() string {
			var out strings.Builder
			for _, table := range []string{"sessions", "executions", "execution_steps", "session_counters", "events", "tokens"} {
				fmt.Fprintf(&out, "%s %d\n", table, count(t, site, "select count(*) from "+table))
			}
			return out.String()
		}
		before := rows()
		for _, cookies := range []bool{true, false} {
			c := visit(t, site)
			if !cookies {
				c.http.Jar = nil
			}
			for range 20 {
				for _, path := range []string{"/", loginPage, loginFlow, "/if/user/", "/nothing", "/api/v3/core/brands/current/", "/api/v3/core/users/me/", "/static/nothing"} {
					c.do("GET", path, "")
				}
				c.do("POST", "/api/v3/core/users/", "{}")
			}
		}
		if after := rows(); after != before {
			t.Errorf("from\n%s to\n%s", before, after)
		}
	})
}

// lines collects log lines.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestRule48WhatPeopleTypeStaysInItsLogLine sends line breaks and control
// characters wherever something typed may be logged.
func TestRule48WhatPeopleTypeStaysInItsLogLine(t *testing.T) {
	const forged = "level=ERROR msg=forged"
	for _, asJSON := range []bool{true, false} {
		t.Run(fmt.Sprintf("json %v", asJSON), func(t *testing.T) {
			var log lines
			site, err := Open(t.Context(), Config{Settings: settings(t), Log: telemetry.NewLogger(&log, slog.LevelDebug, asJSON)})
			if err != nil {
				t.Fatal(err)
			}
			c := visit(t, site)
			typed := "x\r\n" + forged + "\x1b[31m\x00\u2028\u0085\u009b"
			for _, path := range []string{"/" + url.PathEscape(typed), "/api/v3/flows/executor/" + url.PathEscape(typed) + "/?query=" + url.QueryEscape(typed), "/if/flow/" + url.PathEscape(typed) + "/"} {
				c.do("GET", path, "", "User-Agent", "x\t"+forged+"\x80\u2028", "X-Forwarded-For", forged)
			}
			c.do("POST", loginFlow, fmt.Sprintf(`{"uid_field":%q}`, "x\r\n"+forged))
			c.do("POST", loginFlow, fmt.Sprintf(`{"password":%q}`, "x\r\n"+forged))
			if err := site.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen := 0
			for line := range strings.SplitSeq(strings.TrimSuffix(log.String(), "\n"), "\n") {
				begin := "time="
				if asJSON {
					begin = `{"time":`
				}
				if !strings.HasPrefix(line, begin) || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == 0x2028 }) {
					t.Errorf("a line of its own, or one with control characters: %q", line)
				}
				if strings.Contains(line, "forged") {
					seen++
				}
			}
			if seen < 3 {
				t.Errorf("only %d lines hold what was typed", seen)
			}
		})
	}
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
