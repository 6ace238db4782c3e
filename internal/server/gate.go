package server

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/weir-id/weir/internal/telemetry"
)

// probePlaces is how many probes and scrapes are answered at once. They have a
// gate of their own, so that people do not crowd them out and strangers who
// ask for them do not crowd out people.
const probePlaces = 16

// gate bounds the requests being answered at once. Nobody waits at it: with all
// places taken there is a queue for processors and database already.
type gate struct {
	places int
	// share is how many places one client may have; 0 means all.
	share int
	full  telemetry.Refusal

	mu      sync.Mutex
	inside  int
	clients map[netip.Prefix]int
}

// enter takes a place, or tells why there is none.
func (g *gate) enter(from netip.Prefix) (refused telemetry.Refusal, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= g.places {
		return g.full, false
	}
	if g.share > 0 {
		if g.clients[from] >= g.share {
			return telemetry.RefusedClient, false
		}
		g.clients[from]++
	}
	g.inside++
	return "", true
}

// leave gives the place back.
func (g *gate) leave(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.share == 0 {
		return
	}
	if g.clients[from]--; g.clients[from] <= 0 {
		delete(g.clients, from)
	}
}

// gateOf returns the gate of a request; nil for what is answered from memory or
// straight from a file, which slow clients read for a long time.
func (h *Handler) gateOf(r *http.Request) *gate {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := r.URL.Path; {
	case path == livePath, read && (strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/media/")):
		return nil
	case path == readyPath, path == metricsPath:
		return h.probes
	}
	return h.requests
}
