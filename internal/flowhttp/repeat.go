package flowhttp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/seal"
)

const (
	// repeatWindow is how long an answer can be had again.
	repeatWindow = 5 * time.Second
	// maxRepeats bounds the answers kept at once; the oldest go first.
	maxRepeats = 4096
)

// repeats lets a submit that arrives twice, as by a double click on "Sign in",
// get one answer twice, cookies included. Without it the second submit would
// meet a session that the first one has already replaced, and the person would
// see the beginning of the flow although the login went well.
//
// There is one memory for each session and flow: the latest submit. It is
// reached only by whoever sends the same cookie and the same body again; the
// cookies of the answer are sealed under a key made from just these, so that
// nothing secret lies in memory in clear.
type repeats struct {
	key []byte
	now func() time.Time

	mu      sync.Mutex
	latest  map[digest]*attempt
	arrival []*attempt
}

type digest [sha256.Size]byte

// attempt is one submit, under way or done.
type attempt struct {
	scope, key digest
	box        *seal.Box
	// byPage tells that the submit named the execution and step it was made
	// for, so an equal one cannot be meant for a later step.
	byPage bool
	done   chan struct{}

	// Set before done is closed.
	moved    bool
	replaced bool
	result   flow.Result
	cookies  []byte
	at       time.Time
}

func newRepeats(now func() time.Time) *repeats {
	r := &repeats{key: make([]byte, sha256.Size), now: now, latest: map[digest]*attempt{}}
	rand.Read(r.key) // crashes rather than fails
	return r
}

// begin returns the attempt that a submit belongs to. The caller of a first
// one takes the step and must call finish; the others call wait.
func (r *repeats) begin(token string, c Call) (a *attempt, first bool) {
	body, err := json.Marshal(c.Body)
	if err != nil || c.BodyErr != nil {
		return nil, true
	}
	handle := ""
	if c.Handle != nil {
		handle = fmt.Sprintf("%s %d", c.Handle, c.Step)
	}
	material := []string{token, c.Slug, c.RawQuery, c.DeniedNext, handle, string(body)}
	a = &attempt{scope: r.mac("scope", token, c.Slug), key: r.mac("submit", material...), byPage: c.Handle != nil, done: make(chan struct{})}

	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.latest[a.scope]; known != nil && hmac.Equal(known.key[:], a.key[:]) && known.repeatable(r.now()) {
		return known, false
	}
	sealing := r.mac("cookies", material...)
	if a.box, err = seal.NewBox(sealing[:]); err != nil {
		return nil, true
	}
	r.latest[a.scope] = a
	r.arrival = append(r.arrival, a)
	r.trim()
	return a, true
}

// repeatable tells whether an equal submit belongs to the attempt. Once it is
// done, one that names no step does only if the session was replaced: else two
// stages in a row that take equal answers would count as one.
func (a *attempt) repeatable(now time.Time) bool {
	select {
	case <-a.done:
		return a.moved && (a.byPage || a.replaced) && now.Sub(a.at) < repeatWindow
	default:
		return true
	}
}

// finish keeps the answer of the first submit, if it moved the flow on: a
// refused answer may be sent again and counts again.
func (r *repeats) finish(a *attempt, result *flow.Result, cookies []string) {
	if a == nil {
		return
	}
	if a.moved = movedOn(result); a.moved {
		a.result, a.replaced = *result, result.Session != nil
		if result.Session != nil {
			change := *result.Session
			change.Token = ""
			a.result.Session = &change
		}
		a.cookies = a.box.Seal([]byte(strings.Join(cookies, "\n")), "cookies")
	}
	a.at = r.now()
	close(a.done)
}

func movedOn(result *flow.Result) bool {
	if result == nil || result.Rejected || result.Stale || result.Confirm {
		return false
	}
	if result.Next || result.Session != nil {
		return true
	}
	_, redirect := result.Challenge.Body.(*flow.RedirectTo)
	return redirect
}

// wait returns the answer of an attempt that somebody else takes, with its
// cookies; false when the caller has to take the step itself.
func (a *attempt) wait(ctx context.Context) (*flow.Result, []string, bool) {
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, nil, false
	}
	if !a.moved {
		return nil, nil, false
	}
	opened, err := a.box.Open(a.cookies, "cookies")
	if err != nil {
		return nil, nil, false
	}
	result := a.result
	if len(opened) == 0 {
		return &result, nil, true
	}
	return &result, strings.Split(string(opened), "\n"), true
}

// forget drops what is known of a session's flow: its page was looked at since,
// so an equal submit is meant anew.
func (r *repeats) forget(token, slug string) {
	scope := r.mac("scope", token, slug)
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.latest[scope]; a != nil {
		select {
		case <-a.done:
			delete(r.latest, scope)
		default:
		}
	}
}

// trim drops attempts that can no longer be repeated, and the oldest beyond
// the bound. The caller holds the lock.
func (r *repeats) trim() {
	for len(r.arrival) > 0 {
		oldest := r.arrival[0]
		if len(r.arrival) <= maxRepeats && oldest.repeatable(r.now()) {
			return
		}
		if r.latest[oldest.scope] == oldest {
			delete(r.latest, oldest.scope)
		}
		r.arrival = r.arrival[1:]
	}
}

// mac keys a digest to this process; lengths keep the parts apart.
func (r *repeats) mac(purpose string, parts ...string) digest {
	h := hmac.New(sha256.New, r.key)
	for _, part := range append([]string{purpose}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return digest(h.Sum(nil))
}
