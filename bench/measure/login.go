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

// ErrBusy means that the server was too busy to check the password in time and
// asked to come back.
var ErrBusy = errors.New("the server is too busy")

// Login walks through the default login with a fresh browser and returns the
// answers; request makes the context of each request.
func Login(site http.Handler, request func(i int) context.Context) (bodies [][]byte, err error) {
	cookies := map[string]string{}
	for i, step := range LoginRequests {
		r := httptest.NewRequestWithContext(request(i), step.Method, loginPath, strings.NewReader(step.Body))
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if step.Body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		if w.Code == http.StatusServiceUnavailable {
			return nil, ErrBusy
		}
		for _, c := range w.Result().Cookies() {
			cookies[c.Name] = c.Value
		}
		bodies = append(bodies, w.Body.Bytes())
	}
	if last := string(bodies[len(bodies)-1]); !strings.Contains(last, "xak-flow-redirect") {
		return nil, fmt.Errorf("the login ends with %s", last)
	}
	return bodies, nil
}
