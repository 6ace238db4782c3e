package server

import (
	"net/netip"
	"sync"
	"time"

	"github.com/weir-id/weir/internal/lru"
)

const (
	// rateBurst is for how long a client that was quiet may send as fast as it
	// wants to: so many seconds' worth of requests.
	rateBurst = 10 * time.Second
	// rateClients is how many clients are remembered; who was quiet for longest is
	// forgotten first, about 5 MB in all.
	rateClients = 20_000
)

// rate bounds how often each client asks. A client has a bucket that holds
// rateBurst's worth of requests and is filled evenly; of the bucket only the time
// is kept at which it will be full again.
type rate struct {
	// each is how long one request takes to be filled up.
	each time.Duration
	now  func() time.Time

	mu   sync.Mutex
	full *lru.Cache[netip.Prefix, time.Time]
}

// newRate returns a rate of so many requests a second, nil for any number.
func newRate(perSecond int, now func() time.Time) *rate {
	if perSecond <= 0 {
		return nil
	}
	return &rate{each: time.Second / time.Duration(perSecond), now: now, full: lru.New[netip.Prefix, time.Time](rateClients)}
}

// take takes one request out of the bucket, or tells how long to wait for one.
// A refused request costs nothing: whoever goes on asking gets their share.
func (l *rate) take(from netip.Prefix) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	full, _ := l.full.Get(from)
	if full.Before(now) {
		full = now
	}
	if wait = full.Add(l.each).Sub(now) - rateBurst; wait > 0 {
		return wait
	}
	l.full.Put(from, full.Add(l.each))
	return 0
}
