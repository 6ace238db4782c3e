package weir

import (
	"net/http"
	"net/netip"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weir-id/weir/internal/flowhttp"
)

// scrape serves the metrics to programs on the same machine that came without a
// proxy in between, and to whoever sends the API token of a superuser.
func scrape(reg *prometheus.Registry, runner *flowhttp.Runner) http.Handler {
	metrics := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r) && !superuserToken(runner, w, r) {
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

func superuserToken(runner *flowhttp.Runner, w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") == "" {
		return false
	}
	v, err := runner.Visit(w, r, uuid.Nil, true)
	if err != nil || !v.Token {
		return false
	}
	super, err := v.User.Superuser(r.Context())
	return err == nil && super
}
