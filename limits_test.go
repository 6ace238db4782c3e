package weir

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/weir-id/weir/internal/telemetry"
)

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
		{"too long an address", loginPage + "&x=" + big[:16<<10], form, "uid_field=x", 414, "What you sent is too large"},
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
			if row.path == users || row.path == imports {
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
