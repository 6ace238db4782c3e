package event

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/weir-id/weir/internal/lru"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// The limits of an Alarm, for each action.
const (
	alarmsPerClient = 5
	alarmsInAll     = 100
	alarmWindow     = time.Hour
	alarmClients    = 10_000
	alarmTimeout    = 2 * time.Second
)

// Alarm records what anybody on the network can bring about: refused requests,
// failures. It is for what happens outside of any transaction, and it records
// some of each action only, within an hour so many for one client and so many
// in all, so that nobody fills the audit trail. The log has all of them.
type Alarm struct {
	DB     store.DB
	Events *Recorder
	Log    *slog.Logger

	mu   sync.Mutex
	seen map[Action]*tally
}

// tally counts the events of one action within a window.
type tally struct {
	begin   time.Time
	all     int
	clients *lru.Cache[netip.Prefix, int]
}

// Raise records an event, if the limits allow it. It waits for the database for
// a moment, even if the client of the request does not.
func (a *Alarm) Raise(ctx context.Context, action Action, h *policy.HTTPRequest, message string) {
	if !a.allow(action, h) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), alarmTimeout)
	defer cancel()
	err := a.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		return a.Events.Record(ctx, tx, Event{Action: action, HTTP: h, Context: map[string]any{"message": message}})
	})
	if err != nil {
		a.Log.WarnContext(ctx, "event not recorded", slog.String("action", string(action)), slog.Any("error", err))
	}
}

// allow counts the event.
func (a *Alarm) allow(action Action, h *policy.HTTPRequest) bool {
	var client netip.Prefix
	if h != nil {
		client = request.Network(h.ClientIP)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Events.now()
	t := a.seen[action]
	if t == nil || now.Sub(t.begin) >= alarmWindow {
		t = &tally{begin: now, clients: lru.New[netip.Prefix, int](alarmClients)}
		if a.seen == nil {
			a.seen = map[Action]*tally{}
		}
		a.seen[action] = t
	}
	n, _ := t.clients.Get(client)
	if n >= alarmsPerClient || t.all >= alarmsInAll {
		return false
	}
	t.clients.Put(client, n+1)
	t.all++
	return true
}
