// Package guard limits how often secrets can be guessed: for each account, for
// each address of the network, and apart from both for browsers in which the
// person has logged in before, so that strangers cannot lock people out. It also
// limits how much mail people can cause; see Send.
//
// It is asked inside the credential check, so that every door has the same
// limits (rule 31). A guess is counted before the secret is looked at, in a
// transaction of its own, so that neither a crash nor parallel guesses lose one
// (rule 32); the count of a right one is taken back. The counts stand in the
// store: they are the same on all nodes and survive restarts, of flows too
// (rule 23).
package guard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/device"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Limits says how many wrong guesses are free, and what follows.
type Limits struct {
	// Account is how many wrong guesses an account has before it has to wait;
	// a browser in which the person has logged in has as many of its own. The
	// count is forgotten by a right guess, by a new password, and a day after
	// the last wrong one. Default 10.
	Account int
	// FirstDelay is the wait after the last free guess; each further one
	// doubles it, up to MaxDelay. Defaults 5 s and 5 min.
	FirstDelay, MaxDelay time.Duration
	// Address is how many wrong guesses an address of the network has within
	// Window. In IPv6 the first 64 bits count, which is what one customer
	// has. Defaults 100 and 10 min.
	Address int
	Window  time.Duration
}

// DefaultLimits are stricter than the 100 consecutive failures of NIST SP
// 800-63B-4, section 3.2.2, in that guesses slow down after ten; they never lock
// an account for good.
func DefaultLimits() Limits {
	return Limits{Account: 10, FirstDelay: 5 * time.Second, MaxDelay: 5 * time.Minute, Address: 100, Window: 10 * time.Minute}
}

// forget is how long after the last wrong guess the count of an account ends.
const forget = 24 * time.Hour

// maxSubject bounds what a stranger can make us store, in bytes. Longer names
// are counted by their hash.
const maxSubject = 254

// Kind is what a count is about.
type Kind string

// The kinds of counts.
const (
	Account Kind = "account"
	Address Kind = "address"
	Device  Kind = "device"
)

// Choices lists the kinds.
func (Kind) Choices() []string {
	return []string{string(Account), string(Address), string(Device), string(MailAccount), string(MailAddress), string(MailClient), string(MailAgain), string(MailNotice)}
}

// Guess is one try of somebody's secret.
type Guess struct {
	// Account is the name as it was typed. That the limits depend on it, and
	// not on whose it is, makes them the same for names that nobody has; an
	// account with a user name and an e-mail address has the limit for each.
	Account string
	// Client is the address of the person's machine.
	Client netip.Addr
	// Device is the value of the browser's device cookie, "" without one.
	Device string
	// Choice tells that somebody chooses a password, which is compared with
	// those of the account. Many people may do that at one address, so it is
	// counted for the account alone.
	Choice bool
}

// Of is the guess of the person at an execution.
func Of(x *flow.Exec, account string) Guess {
	return Guess{Account: account, Client: x.ClientIP(), Device: x.Cookie(device.Cookie)}
}

// Chosen is the guess of whoever chooses a new password.
func Chosen(r *policy.Request) Guess {
	g := Guess{Account: r.User.Username, Choice: true}
	if r.HTTP != nil {
		g.Client, g.Device = r.HTTP.ClientIP, r.HTTP.Cookies[device.Cookie]
	}
	return g
}

// LimitedError means that there were too many wrong guesses, or too many mails.
type LimitedError struct {
	Kind Kind
	// Wait is how long the next one has to wait.
	Wait time.Duration

	id string // of the count
}

// Error implements error.
func (e *LimitedError) Error() string {
	if e.Kind.Sends() {
		return fmt.Sprintf("too many mails for this %s: wait %s", strings.TrimPrefix(string(e.Kind), mailPrefix), e.Wait)
	}
	return fmt.Sprintf("too many wrong guesses for this %s: wait %s", e.Kind, e.Wait)
}

// Config is what a Guard needs.
type Config struct {
	DB store.DB
	// Limits with a zero Account are the defaults.
	Limits Limits
	// Sends with a zero Account are the defaults.
	Sends SendLimits
	// Key makes names comparable.
	Key func(name string) string
	// Devices opens device cookies. Nil knows no browser.
	Devices device.Sealer
	// Refused is told about each refusal. Nil tells nobody.
	Refused func(Kind)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Guard counts guesses. It is safe for concurrent use.
type Guard struct {
	c     Config
	lines lines
}

// New returns a guard.
func New(c Config) *Guard {
	if c.Limits.Account == 0 {
		c.Limits = DefaultLimits()
	}
	if c.Sends.Account == 0 {
		c.Sends = DefaultSendLimits()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Refused == nil {
		c.Refused = func(Kind) {}
	}
	return &Guard{c: c, lines: lines{by: map[string]*line{}}}
}

func (g *Guard) now() time.Time { return g.c.Now().UTC().Truncate(time.Microsecond) }

// count is one row: what wrong guesses are counted under. The id stands for
// the rest, which is nothing for an address of the API.
type count struct {
	id      string
	kind    Kind
	subject string
}

// namespace makes the ids of counts.
var namespace = uuid.MustParse("279fe386-fbe0-40ef-9b74-7998bac05246")

func newCount(kind Kind, subject string) count {
	return count{uuid.NewSHA1(namespace, []byte(string(kind)+" "+subject)).String(), kind, subject}
}

// counts are those that a guess goes into, in the order in which they are
// locked. user is nil for a name that nobody has.
func (g *Guard) counts(guess Guess, user *identity.Person) []count {
	if user != nil && g.c.Devices != nil {
		if known, ok := device.Decode(g.c.Devices, guess.Device, g.now()); ok && known.Subject == user.UUID {
			return []count{newCount(Device, digest(guess.Device))}
		}
	}
	account := newCount(Account, g.account(guess.Account))
	if guess.Choice {
		return []count{account}
	}
	return []count{account, newCount(Address, network(guess.Client))}
}

func (g *Guard) account(name string) string { return Short(g.c.Key(name)) }

// Short is a name as it is stored when anybody may make it up: itself, or its
// hash where it is longer than names are.
func Short(name string) string {
	if len(name) > maxSubject {
		return digest(name)
	}
	return name
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// network is what the guesses of an address are counted under. Those whose
// address nobody knows share a count.
func network(addr netip.Addr) string {
	switch p := request.Network(addr); {
	case !p.IsValid():
		return "unknown"
	case p.IsSingleIP():
		return p.Addr().String()
	default:
		return p.String()
	}
}

// Begin counts a guess as wrong before anybody looks at the secret. The error
// is a *LimitedError when it may not be tried now; nothing is counted then, and
// the secret must not be looked at. A guess that only those which are being
// judged keep out waits for them. The trial has to be ended with End.
func (g *Guard) Begin(ctx context.Context, guess Guess, user *identity.Person) (*Trial, error) {
	t := &Trial{counts: g.counts(guess, user), lines: &g.lines}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		entered := false
		err := g.c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			now := g.now()
			for _, c := range t.counts {
				if err := g.add(ctx, tx, c, g.rule(c.kind), now); err != nil {
					return err
				}
			}
			if !entered { // before others can see the count
				entered = true
				g.lines.enter(t.counts)
			}
			return nil
		})
		if err == nil {
			return t, nil
		}
		if entered {
			g.lines.leave(t.counts)
		}
		var limited *LimitedError
		if !errors.As(err, &limited) {
			return nil, fmt.Errorf("count guess: %w", err)
		}
		if !g.lines.wait(waiting, limited.id) {
			g.c.Refused(limited.Kind)
			return nil, limited
		}
	}
}

// add counts one more, unless the count has to wait: blocked_until is then later
// than last_failure. It is not compared with now alone, since a guess that had to
// stand in line comes with an earlier time than the one before it.
func (g *Guard) add(ctx context.Context, tx store.Tx, c count, r rule, now time.Time) error {
	expires, keep := now.Add(r.lasts), "excluded.expires"
	if r.fixed {
		keep = "guesses.expires"
	}
	var n int
	err := tx.QueryRow(ctx, `insert into guesses (id, kind, subject, failures, last_failure, blocked_until, expires) values ($1, $2, $3, 1, $4, $4, $5)
		on conflict (id) do update set last_failure = excluded.last_failure, blocked_until = excluded.blocked_until,
			failures = case when guesses.expires > $4 then guesses.failures + 1 else 1 end,
			expires = case when guesses.expires > $4 then `+keep+` else excluded.expires end
		where guesses.blocked_until <= $4 or guesses.blocked_until <= guesses.last_failure or guesses.expires <= $4
		returning failures, expires`, c.id, c.kind, c.subject, now, expires).Scan(&n, &expires)
	if errors.Is(err, store.ErrNotFound) {
		var until time.Time
		if err := tx.QueryRow(ctx, "select blocked_until from guesses where id = $1", c.id).Scan(&until); err != nil {
			return err
		}
		return &LimitedError{c.kind, until.Sub(now), c.id}
	}
	if err != nil {
		return err
	}
	until := now
	if r.delay != nil {
		until = now.Add(r.delay(n))
	}
	if r.fixed && n >= r.most {
		until = expires
	}
	if !until.After(now) {
		return nil
	}
	_, err = tx.Exec(ctx, "update guesses set blocked_until = $2 where id = $1", c.id, until)
	return err
}

// Trial is a guess that was counted.
type Trial struct {
	counts []count
	lines  *lines
	once   sync.Once
}

// End says that the guess has been judged, and that Right or Undo has been called
// for it where that was due.
func (t *Trial) End() { t.once.Do(func() { t.lines.leave(t.counts) }) }

// Right takes the guess back, in the transaction that acts on it: the account
// begins anew, while an address has one wrong guess less. A stranger with an
// account of their own gains nothing.
func (t *Trial) Right(ctx context.Context, tx store.Tx) error {
	for _, c := range t.counts {
		if c.kind == Address {
			if err := c.less(ctx, tx); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(ctx, "delete from guesses where id = $1", c.id); err != nil {
			return fmt.Errorf("take back guess: %w", err)
		}
	}
	return nil
}

// Undo uncounts a guess that nobody judged.
func (t *Trial) Undo(ctx context.Context, tx store.Tx) error {
	for _, c := range t.counts {
		if err := c.less(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (c count) less(ctx context.Context, tx store.Tx) error {
	_, err := tx.Exec(ctx, `update guesses set failures = failures - 1, blocked_until = last_failure
		where id = $1 and failures > 0`, c.id)
	if err != nil {
		return fmt.Errorf("take back guess: %w", err)
	}
	return nil
}

// Forget ends the waiting for the names of an account, because it has a new
// secret.
func (g *Guard) Forget(ctx context.Context, tx store.Tx, names ...string) error {
	var args store.Args
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = newCount(Account, g.account(name)).id
	}
	if _, err := tx.Exec(ctx, "delete from guesses where id in "+store.In(&args, ids), args...); err != nil {
		return fmt.Errorf("forget guesses: %w", err)
	}
	return nil
}
