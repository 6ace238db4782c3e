package weir

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/flowhttp"
)

// scrape serves the metrics to programs on the same machine that came without a
// proxy in between, and to whoever sends the API token of a superuser.
func scrape(reg *prometheus.Registry, runner *flowhttp.Runner) http.Handler {
	metrics := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ok := local(r)
		if !ok {
			var err error
			if ok, err = superuserToken(runner, w, r); errors.Is(err, flow.ErrOverloaded) {
				w.Header().Set("Retry-After", "5")
				http.Error(w, "This cannot be decided just now. Try again in a few seconds.", http.StatusServiceUnavailable)
				return
			}
		}
		if !ok {
			http.Error(w, "Send the API token of a superuser.", http.StatusForbidden)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// local tells whether a request came from this machine itself. A proxy on this
// machine passes others on, and says so.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

func superuserToken(runner *flowhttp.Runner, w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Header.Get("Authorization") == "" {
		return false, nil
	}
	v, err := runner.Visit(w, r, uuid.Nil, true)
	if err != nil || !v.Token {
		return false, err
	}
	return v.User.Superuser(r.Context())
}
