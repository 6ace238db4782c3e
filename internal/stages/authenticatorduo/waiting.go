package authenticatorduo

import (
	"errors"
	"sync"
)

// most is how many calls wait for people or for Duo at once, of all accounts: each
// has one of the places for requests.
const most = 64

// errBusy means that a call for the account is under way, or too many of others are.
var errBusy = errors.New("something is asked already")

// Waiting are the calls that are under way, at most one for each account. The zero
// value is ready.
type Waiting struct {
	mu       sync.Mutex
	accounts map[int64]bool
}

// begin enters a call for an account; end is to be called once it is over.
func (w *Waiting) begin(account int64) (end func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.accounts[account] || len(w.accounts) >= most {
		return nil, errBusy
	}
	if w.accounts == nil {
		w.accounts = map[int64]bool{}
	}
	w.accounts[account] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.accounts, account)
	}, nil
}
