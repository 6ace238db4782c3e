package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/store/storetest"
)

// node is one process of `weir serve`.
type node struct{ URL string }

// startNodes starts processes over a database for each URL, all at once, as
// they would on several machines. They end with the test, or with the last one.
func startNodes(t *testing.T, cleanup func(func()), urls ...string) []*node {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	nodes := make([]*node, len(urls))
	errs := make([]error, len(urls))
	var wg sync.WaitGroup
	for i, url := range urls {
		cmd := exec.Command(path, "serve")
		nodes[i] = &node{}
		cmd.Stderr = &logFile
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "WEIR_") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env, "WEIR_LISTEN=127.0.0.1:0", "WEIR_DATA="+filepath.Join(filepath.Dir(path), "data"), "WEIR_DATABASE_URL="+url,
			"WEIR_SECRET_KEY=a secret key of more than thirty-two characters", "WEIR_HASH_MEMORY=7168", "WEIR_LOG_LEVEL=warn", "WEIR_MAX_CLIENT_RATE=0",
			"WEIR_BOOTSTRAP_PASSWORD=the first administrator's password", "WEIR_BOOTSTRAP_TOKEN="+token)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		})
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if to, ok := strings.CutPrefix(lines.Text(), "Weir is at "); ok {
					nodes[i].URL = strings.TrimSuffix(to, "/")
					go func() { _, _ = io.Copy(io.Discard, out) }()
					return
				}
			}
			errs[i] = fmt.Errorf("node %d ended: %v", i, lines.Err())
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return nodes
}

var (
	threeOnce sync.Mutex
	threeURL  string
	three     []*node
)

// threeNodes are three processes on one PostgreSQL, for all tests that only use
// them.
func threeNodes(t *testing.T) (nodes []*node, database string) {
	t.Helper()
	threeOnce.Lock()
	defer threeOnce.Unlock()
	if three == nil {
		threeURL = storetest.PostgresFor(t, atTheEnd)
		three = startNodes(t, atTheEnd, threeURL, threeURL, threeURL)
	}
	return three, threeURL
}

// reply is an answer of a node.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// json is the answer as an object; nil when it is none.
func (r *reply) json() (o object) {
	_ = json.Unmarshal(r.body, &o)
	return o
}

func (r *reply) String() string { return fmt.Sprintf("%d %.500s", r.status, r.body) }

// client sends requests and follows no redirects. Like all balancers it gives
// up at some time, long after a node should have answered.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// caller is a browser or a program whose requests go to the nodes in turn.
type caller struct {
	nodes []*node
	next  int
	// token is an API token, cookies those of a browser; either may be empty.
	token   string
	cookies map[string]string
	// header is sent with every request.
	header http.Header
}

// administrator returns a caller with all permissions.
func administrator(nodes ...*node) *caller { return &caller{nodes: nodes, token: token} }

// browser returns a caller without a session.
func browser(nodes ...*node) *caller { return &caller{nodes: nodes, cookies: map[string]string{}} }

// at returns a copy of the caller that speaks to one node only.
func (c *caller) at(n *node) *caller {
	return &caller{nodes: []*node{n}, token: c.token, cookies: c.cookies, header: c.header}
}

// try sends one request to the next node. A string is a form, another body JSON.
func (c *caller) try(ctx context.Context, method, path string, body any) (*reply, error) {
	n := c.nodes[c.next%len(c.nodes)]
	c.next++
	var content io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case string:
		content, kind = strings.NewReader(body), "application/x-www-form-urlencoded"
	default:
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, n.URL+path, content)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.header)
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range c.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	// What a page of the site sends along.
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if c.cookies != nil {
		for _, set := range res.Cookies() {
			c.cookies[set.Name] = set.Value
		}
	}
	data, err := io.ReadAll(res.Body)
	return &reply{status: res.StatusCode, header: res.Header, body: data}, err
}

// call is try with a status that is wanted.
func (c *caller) call(t *testing.T, want int, method, path string, body any) *reply {
	t.Helper()
	r, err := c.try(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if r.status != want {
		t.Fatalf("%s %s answers %v, want %d", method, path, r, want)
	}
	return r
}

const executor = "/api/v3/flows/executor/"

// walk takes the steps of the default login through the API, each request by
// another node, and returns the last answer.
func (c *caller) walk(ctx context.Context, name, password string) (last *reply, err error) {
	answers := map[string]object{
		"ak-stage-identification": {"component": "ak-stage-identification", "uid_field": name},
		"ak-stage-password":       {"component": "ak-stage-password", "password": password},
	}
	method, body := http.MethodGet, any(nil)
	for range 16 {
		if last, err = c.try(ctx, method, executor+login+"/", body); err != nil {
			return nil, err
		}
		asked, _ := last.json()["component"].(string)
		answer, known := answers[asked]
		switch {
		case last.status == http.StatusFound:
			method, body = http.MethodGet, nil
		case last.status == http.StatusOK && known:
			delete(answers, asked) // a question that comes twice was answered wrongly
			method, body = http.MethodPost, answer
		default:
			return last, nil
		}
	}
	return last, fmt.Errorf("the login does not end")
}

// signIn walks the login to its end.
func (c *caller) signIn(t *testing.T, a account) {
	t.Helper()
	last, err := c.walk(t.Context(), a.name, a.password)
	if err != nil {
		t.Fatal(err)
	}
	if last.json()["component"] != "xak-flow-redirect" {
		t.Fatalf("the login ends with %v", last)
	}
}

// signedInAs asks a node whom it takes the caller for; "" for nobody.
func (c *caller) signedInAs(t *testing.T, n *node) string {
	t.Helper()
	r, err := c.at(n).try(t.Context(), "GET", "/api/v3/core/users/me/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.status == http.StatusForbidden {
		return ""
	}
	user, _ := r.json()["user"].(object)
	name, _ := user["username"].(string)
	if r.status != http.StatusOK || name == "" {
		t.Fatalf("users/me answers %v", r)
	}
	return name
}

// unique makes names that no other test uses.
func unique(t *testing.T) string {
	return strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(t.Name(), "-"))
}

// newAccount makes somebody who can sign in, through the API.
func newAccount(t *testing.T, admin *caller, name string) account {
	t.Helper()
	a := account{name: name, password: "correct horse of " + name}
	made := admin.call(t, 201, "POST", "/api/v3/core/users/", object{"username": name, "name": name})
	a.id = int64(made.json()["pk"].(float64))
	admin.call(t, 204, "POST", fmt.Sprintf("/api/v3/core/users/%d/set_password/", a.id), object{"password": a.password})
	return a
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-tick.C:
		}
	}
}
