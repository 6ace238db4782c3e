package guard

import "time"

// rule is how counts of a kind go on and end.
type rule struct {
	// lasts is how long a count is kept: after its last one, or where fixed after
	// its first.
	lasts time.Duration
	fixed bool
	// most is how many there may be within a fixed time.
	most int
	// delay is the wait after the nth; nil for none.
	delay func(n int) time.Duration
}

func (g *Guard) rule(k Kind) rule {
	switch l, s := &g.c.Limits, &g.c.Sends; k {
	case Address:
		return rule{lasts: l.Window, fixed: true, most: l.Address}
	case MailAccount:
		return rule{lasts: s.Window, fixed: true, most: s.Account}
	case MailAddress:
		return rule{lasts: s.Window, fixed: true, most: s.Address, delay: s.delay}
	case MailClient:
		return rule{lasts: s.ClientWindow, fixed: true, most: s.Client}
	case MailNotice:
		return rule{lasts: s.Window, fixed: true, most: s.Notices}
	default:
		return rule{lasts: forget, delay: l.delay}
	}
}

// delay is the wait after the nth wrong guess for an account.
func (l *Limits) delay(n int) time.Duration { return doubled(n-l.Account, l.FirstDelay, l.MaxDelay) }

// doubled is first, doubled so many times and at most a limit; 0 before that.
func doubled(times int, first, limit time.Duration) time.Duration {
	if times < 0 {
		return 0
	}
	d := first
	for range times {
		if d *= 2; d >= limit {
			break
		}
	}
	return min(d, limit)
}
