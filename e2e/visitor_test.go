package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// visitor is a browser of the API that keeps its cookies while programs come
// and go. It does not follow redirects.
type visitor struct {
	t    *testing.T
	http *http.Client
	// bearer is the API token, "" for none.
	bearer string
}

func newVisitor(t *testing.T, bearer string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, bearer: bearer, http: &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// here is what cookies belong to: they do not tell ports apart.
var here = &url.URL{Scheme: "http", Host: "127.0.0.1", Path: "/"}

// response is an answer of the API.
type response struct {
	status   int
	location string
	body     map[string]any
	text     string
}

func (r response) component() string { s, _ := r.body["component"].(string); return s }

// ask sends a request to the program at base; the path is the one below
// /api/v3, or the whole one that a redirect named. The error says that no whole
// answer came back. A server error fails the test.
func (v *visitor) ask(ctx context.Context, base, method, path string, body object) (response, error) {
	var data string
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return response{}, err
		}
		data = string(raw)
	}
	if !strings.HasPrefix(path, "/api/v3/") {
		path = "/api/v3" + path
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(data))
	if err != nil {
		return response{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if v.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	res, err := v.http.Do(r)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return response{}, err
	}
	out := response{status: res.StatusCode, location: res.Header.Get("Location"), text: string(raw)}
	if res.StatusCode >= 500 {
		v.t.Errorf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	if len(raw) > 0 && raw[0] == '{' {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			v.t.Errorf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return out, nil
}
