package measure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

const loginPath = "/api/v3/flows/executor/default-authentication-flow/?query=next%3D%252Fx"

// Password is that of akadmin, who signs in.
const Password = "correct horse"

// LoginRequests are the requests of a client that signs in.
var LoginRequests = []struct{ Method, Body string }{
	{"GET", ""}, {"POST", `{"uid_field":"akadmin"}`}, {"GET", ""}, {"POST", `{"password":"` + Password + `"}`}, {"GET", ""}, {"GET", ""},
}

// Browser keeps cookies, by name.
type Browser map[string]string

// Do has the site answer one request, without a network; a body is JSON.
func (b Browser) Do(ctx context.Context, site http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for name, value := range b {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b[c.Name] = c.Value
	}
	return w
}

// ErrBusy means that the server was too busy to check the password in time and
// asked to come back.
var ErrBusy = errors.New("the server is too busy")

// Login walks through the default login with a fresh browser and returns the
// answers; request makes the context of each request.
func Login(site http.Handler, request func(i int) context.Context) (bodies [][]byte, err error) {
	browser := Browser{}
	for i, step := range LoginRequests {
		w := browser.Do(request(i), site, step.Method, loginPath, step.Body)
		if w.Code == http.StatusServiceUnavailable {
			return nil, ErrBusy
		}
		bodies = append(bodies, w.Body.Bytes())
	}
	if last := string(bodies[len(bodies)-1]); !strings.Contains(last, "xak-flow-redirect") {
		return nil, fmt.Errorf("the login ends with %s", last)
	}
	return bodies, nil
}
