package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-id/weir/internal/store/storetest"
)

// pen writes to one node, again and again, and remembers what the node said
// it had done.
type pen struct {
	name string
	// write makes the nth thing. Done means that the node has acknowledged it;
	// check then tells whether it is there.
	write func(ctx context.Context, n int) (done bool, check func(t *testing.T) bool, err error)

	checks     []func(t *testing.T) bool
	done       atomic.Int64
	turnedAway atomic.Int64
}

// run writes until ctx ends. Being told to try again is in order, any other
// failure is not.
func (w *pen) run(ctx context.Context, t *testing.T) {
	for n := 0; ctx.Err() == nil; n++ {
		// A request under way when the load ends may finish.
		done, check, err := w.write(context.WithoutCancel(ctx), n)
		switch {
		case err != nil:
			t.Errorf("%s, number %d: %v", w.name, n, err)
			return
		case done:
			w.checks = append(w.checks, check)
			w.done.Add(1)
		default:
			w.turnedAway.Add(1)
		}
	}
}

// away tells whether a node said that it cannot work at the moment.
func away(r *reply) bool {
	return r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != ""
}

// creates makes objects through the API of one node, to be found by another.
func creates(name, path string, writing, reading *node, object func(name string) object, found func(name string) string) *pen {
	return &pen{name: name, write: func(ctx context.Context, n int) (bool, func(*testing.T) bool, error) {
		key := fmt.Sprintf("%s-%d", name, n)
		r, err := administrator(writing).try(ctx, "POST", path, object(key))
		switch {
		case err != nil:
			return false, nil, err
		case away(r):
			return false, nil, nil
		case r.status != http.StatusCreated:
			return false, nil, fmt.Errorf("%v", r)
		}
		return true, func(t *testing.T) bool {
			list, _ := administrator(reading).call(t, 200, "GET", found(key), nil).json()["results"].([]any)
			return len(list) == 1
		}, nil
	}}
}

// signsIn signs somebody in on one node; another one has to know the session.
func signsIn(name string, writing, reading *node, a account) *pen {
	return &pen{name: name, write: func(ctx context.Context, _ int) (bool, func(*testing.T) bool, error) {
		b := browser(writing)
		r, err := b.walk(ctx, a.name, a.password)
		switch {
		case err != nil:
			return false, nil, err
		case away(r):
			return false, nil, nil
		case r.json()["component"] != "xak-flow-redirect":
			return false, nil, fmt.Errorf("%v", r)
		}
		kept := maps.Clone(b.cookies)
		return true, func(t *testing.T) bool {
			return (&caller{cookies: maps.Clone(kept)}).signedInAs(t, reading) == a.name
		}, nil
	}}
}

// The primary dies under load, and the standby takes over: what had been
// acknowledged is there, and the nodes go on without being started again.
func TestTheNodesSurviveAFailoverOfTheDatabase(t *testing.T) {
	t.Parallel()
	pair := storetest.NewPair(t)
	nodes := startNodes(t, t.Cleanup, pair.URL, pair.URL)
	a := newAccount(t, administrator(nodes...), "failover")

	var writers []*pen
	for i, n := range nodes {
		other := nodes[1-i]
		writers = append(writers,
			creates(fmt.Sprint("group-", i), "/api/v3/core/groups/", n, other,
				func(name string) object { return object{"name": name} },
				func(name string) string { return "/api/v3/core/groups/?name=" + name }),
			creates(fmt.Sprint("flow-", i), "/api/v3/flows/instances/", n, other,
				func(name string) object {
					return object{"name": name, "slug": name, "title": name, "designation": "recovery"}
				},
				func(name string) string { return "/api/v3/flows/instances/?slug=" + name }),
			signsIn(fmt.Sprint("login-", i), n, other, a))
	}
	load, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, w := range writers {
		running.Go(func() { w.run(load, t) })
	}
	const enough = 5
	all := func(what string, holds func(w *pen) bool) {
		t.Helper()
		for _, w := range writers {
			eventually(t, w.name+" "+what, func() bool { return holds(w) || t.Failed() })
		}
	}
	all("works before", func(w *pen) bool { return w.done.Load() >= enough })
	before := map[*pen]int64{}
	pair.KillPrimary()
	all("is turned away meanwhile", func(w *pen) bool { return w.turnedAway.Load() > 0 })
	for _, w := range writers {
		before[w] = w.done.Load()
	}
	pair.Promote()
	all("works afterwards", func(w *pen) bool { return w.done.Load() >= before[w]+enough })
	stop()
	running.Wait()

	for _, w := range writers {
		lost := 0
		for _, there := range w.checks {
			if !there(t) {
				lost++
			}
		}
		t.Logf("%s: %d acknowledged, %d of them before the promotion, %d turned away", w.name, len(w.checks), before[w], w.turnedAway.Load())
		if lost > 0 {
			t.Errorf("%s: %d of %d acknowledged writes are lost", w.name, lost, len(w.checks))
		}
	}
	for i, n := range nodes {
		slug := fmt.Sprint("announced-by-", i)
		newFlow(t, administrator(n), slug)
		onAll(t, nodes, slug, "ak-stage-dummy", "First title")
	}
}
