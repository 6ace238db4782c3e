package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// The kinds of counts of mails.
const (
	mailPrefix = "mail_"

	// MailAccount is about whom the mails are.
	MailAccount Kind = mailPrefix + "account"
	// MailAddress is where they go to.
	MailAddress Kind = mailPrefix + "address"
	// MailClient is who causes them.
	MailClient Kind = mailPrefix + "client"
	// MailAgain is for whom a stage was asked to send a mail once more.
	MailAgain Kind = mailPrefix + "again"
	// MailNotice is where those go to that the installation sends by itself.
	MailNotice Kind = mailPrefix + "notice"
)

// Sends tells whether mails are counted, and not guesses.
func (k Kind) Sends() bool { return strings.HasPrefix(string(k), mailPrefix) }

// SendLimits says how many mails can be caused. Each window begins with the first
// mail that is counted in it.
type SendLimits struct {
	// Address is how many mails go to one address within Window. Default 5.
	Address int
	// Delay is the wait after the second mail to an address; each further one
	// doubles it. Default 30 s.
	Delay time.Duration
	// Account is how many mails can be about one account within Window, wherever
	// they go. Default 10.
	Account int
	// Window is the time for both. Default 1 h.
	Window time.Duration
	// Client is how many mails one address of the network can cause within
	// ClientWindow; in IPv6 the first 64 bits count. Defaults 20 and 10 min.
	Client       int
	ClientWindow time.Duration
	// Notices is how many mails that nobody in particular causes go to one
	// address within Window. Default 60.
	Notices int
}

// DefaultSendLimits let a person who cannot find a mail ask again a few times,
// and keep strangers from filling a mailbox or making the mail server known for
// spam.
func DefaultSendLimits() SendLimits {
	return SendLimits{Address: 5, Delay: 30 * time.Second, Account: 10, Window: time.Hour, Client: 20, ClientWindow: 10 * time.Minute, Notices: 60}
}

// delay is the wait after the nth mail to an address.
func (l *SendLimits) delay(n int) time.Duration { return doubled(n-2, l.Delay, l.Window) }

// Send is a mail that is about to be queued, or a text message that is about to be
// sent.
type Send struct {
	// Account is the id of the user whom it is about, 0 for nobody.
	Account int64
	// Nobody is the name that was typed when the mail is only pretended, since
	// nobody has it: it is counted as an account and an address are.
	Nobody string
	// Recipients are the addresses or numbers it goes to.
	Recipients []string
	// Client is the address of the machine that causes it.
	Client netip.Addr
	// Notice marks what the installation sends by itself: it has a limit of its
	// own, which strangers do not use up.
	Notice bool
}

// Send counts a mail in the transaction that queues it. The error is a
// *LimitedError when it may not be sent now; the transaction can go on then, and
// should be committed: the attempt counts for the client, or else who asks for
// accounts that exist could ask more often than who asks for others.
func (g *Guard) Send(ctx context.Context, tx store.Tx, s Send) error {
	now := g.now()
	var counted []count
	for _, c := range g.sendCounts(s) {
		err := g.add(ctx, tx, c, g.rule(c.kind), now)
		var limited *LimitedError
		if errors.As(err, &limited) {
			g.c.Refused(limited.Kind)
			for _, c := range counted {
				if err := c.less(ctx, tx); err != nil {
					return err
				}
			}
			return limited
		}
		if err != nil {
			return fmt.Errorf("count mail: %w", err)
		}
		if c.kind != MailClient {
			counted = append(counted, c)
		}
	}
	return nil
}

// TakeBack uncounts a message that turned out to be wanted, such as a question that
// the person has said yes to: only the others are a nuisance.
func (g *Guard) TakeBack(ctx context.Context, tx store.Tx, s Send) error {
	for _, c := range g.sendCounts(s) {
		if err := c.less(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// sendCounts are those that a mail goes into: the client first, the others in one
// order for everybody, so that nobody waits for each other in a circle.
func (g *Guard) sendCounts(s Send) []count {
	var counts []count
	kind := MailAddress
	if s.Notice {
		kind = MailNotice
	} else if s.Account != 0 {
		counts = append(counts, newCount(MailAccount, strconv.FormatInt(s.Account, 10)))
	}
	if s.Nobody != "" {
		name := "nobody " + g.account(s.Nobody)
		counts = append(counts, newCount(MailAccount, name), newCount(MailAddress, name))
	}
	for _, address := range s.Recipients {
		counts = append(counts, newCount(kind, g.mailbox(address)))
	}
	slices.SortFunc(counts, func(a, b count) int { return strings.Compare(a.id, b.id) })
	counts = slices.Compact(counts)
	if !s.Notice {
		counts = slices.Insert(counts, 0, newCount(MailClient, network(s.Client)))
	}
	return counts
}

// mailbox is what mails to an address are counted under: however it is spelt,
// and without the part behind a plus sign, which many servers ignore.
func (g *Guard) mailbox(address string) string {
	local, domain := g.account(address), ""
	if i := strings.LastIndexByte(local, '@'); i >= 0 {
		local, domain = local[:i], local[i+1:]
	}
	if before, _, tagged := strings.Cut(local, "+"); tagged && before != "" {
		local = before
	}
	return local + "@" + strings.TrimSuffix(domain, ".")
}

// Again counts that a mail was asked for once more, with a limit that a stage has
// besides those of all mails: so many within a time. name is what was typed, or who
// is known to be meant, so that the limit holds for names that nobody has as well,
// and however often a flow is begun anew (rule 23). The error is a *LimitedError
// when it is reached.
func (g *Guard) Again(ctx context.Context, tx store.Tx, stage, name string, most int, within time.Duration) error {
	if most <= 0 {
		return &LimitedError{MailAgain, within, ""}
	}
	c := newCount(MailAgain, stage+" "+g.account(name))
	err := g.add(ctx, tx, c, rule{lasts: within, fixed: true, most: most}, g.now())
	var limited *LimitedError
	if errors.As(err, &limited) {
		g.c.Refused(limited.Kind)
		return limited
	}
	if err != nil {
		return fmt.Errorf("count mail: %w", err)
	}
	return nil
}

// Tell says whether strangers may be told of the refusal: it depends on nothing
// but where they ask from, or what they have typed. Another one shows that the
// account exists (rule 18), so whoever has proved nothing yet is answered as if the
// mail had been sent.
func (e *LimitedError) Tell() bool { return e.Kind == MailClient || e.Kind == MailAgain }
