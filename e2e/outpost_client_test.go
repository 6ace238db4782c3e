package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
)

// maxPosts is how often an outpost answers in one log-in.
const maxPosts = 10

// outpost signs people in as the outposts of LDAP and RADIUS do: it walks a
// flow with the name and password that came over its own protocol, and nobody
// to ask. It is written from what is known of theirs, mistakes included, so
// that ours is held to what they take.
type outpost struct {
	schema *published
	url    string
	token  string
	// protocol is "ldap" or "radius".
	protocol string
	// mfa tells that a code may follow the password.
	mfa       bool
	transport http.RoundTripper
}

// attempt is one log-in, with a jar of its own.
type attempt struct {
	*outpost
	flow, ip string
	typed    typed
	client   *http.Client
	jar      *sessionJar
	// solved are the components that were answered.
	solved []string
}

// sessionJar remembers the latest session cookie of any answer, also of one
// that redirects.
type sessionJar struct {
	http.CookieJar
	session *http.Cookie
}

func (j *sessionJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(u, cookies)
	for _, c := range cookies {
		if c.Name == "authentik_session" {
			j.session = c
		}
	}
}

// begin prepares a log-in of somebody who comes from an address.
func (o *outpost) begin(flow, ip, name, password string) (*attempt, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	a := &attempt{outpost: o, flow: flow, ip: ip, typed: split(name, password, o.mfa), jar: &sessionJar{CookieJar: jar}}
	// Redirects are the library's: GET, the same headers, at most ten.
	a.client = &http.Client{Jar: a.jar, Transport: o.transport}
	return a, nil
}

// run walks the flow; nil means that the flow is over.
func (a *attempt) run(ctx context.Context) error {
	c, err := a.executor(ctx, http.MethodGet, nil)
	for posts := 0; ; posts++ {
		if err != nil {
			return err
		}
		if posts == maxPosts {
			return errors.New("too many challenges")
		}
		if err := flowError(c); err != nil {
			return err
		}
		component, _ := c["component"].(string)
		switch component {
		case "ak-stage-access-denied":
			return fmt.Errorf("access denied: %v", c["error_message"])
		case "xak-flow-redirect":
			return nil
		}
		solver, ok := solvers[component]
		if !ok {
			return fmt.Errorf("unsupported challenge type %s", component)
		}
		answer, failure := solver(c, a.typed)
		if failure != nil {
			return failure
		}
		answer["component"] = component
		a.solved = append(a.solved, strings.TrimPrefix(component, "ak-stage-"))
		c, err = a.executor(ctx, http.MethodPost, answer)
	}
}

// flowError is the first error of a challenge.
func flowError(c map[string]any) error {
	errs, _ := c["response_errors"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		if list := errs[name].([]any); len(list) > 0 {
			return fmt.Errorf("flow error %s: %v", name, list[0].(map[string]any)["string"])
		}
	}
	return nil
}

func (a *attempt) executor(ctx context.Context, method string, answer any) (map[string]any, error) {
	page := url.Values{"goauthentik.io/outpost/" + a.protocol: {"true"}}
	query := url.Values{"query": {page.Encode()}}
	c, err := a.call(ctx, method, "flows/executor/"+a.flow+"/?"+query.Encode(), answer)
	if err != nil {
		return nil, err
	}
	return c, a.schema.challenge(c)
}

// me is what an LDAP outpost asks once the flow is over.
func (a *attempt) me(ctx context.Context) (map[string]any, error) {
	answer, err := a.call(ctx, http.MethodGet, "core/users/me/", nil)
	if err != nil {
		return nil, err
	}
	return answer["user"].(map[string]any), a.schema.strict("user", a.schema.Components.Schemas["SessionUser"], answer)
}

// call sends the headers of an outpost and nothing that would sign it in: who
// somebody is, only the cookie says.
func (a *attempt) call(ctx context.Context, method, path string, body any) (map[string]any, error) {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.url+"/api/v3/"+path, sent)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "goauthentik.io/outpost/2026.8.3")
	r.Header.Set("X-authentik-outpost-token", a.token)
	r.Header.Set("X-authentik-remote-ip", a.ip)
	res, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	typ, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || typ != "application/json" && typ != "text/json" && !strings.HasSuffix(typ, "+json") {
		return nil, fmt.Errorf("content type %q", res.Header.Get("Content-Type"))
	}
	var out map[string]any
	return out, json.NewDecoder(res.Body).Decode(&out)
}
