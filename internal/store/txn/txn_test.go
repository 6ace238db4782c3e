package txn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/txn"
)

var errBusy, errOther = errors.New("busy"), errors.New("other")

func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		results []error // the last one repeats
		tries   int
		want    error
	}{
		{"success is not repeated", []error{nil}, 1, nil},
		{"a busy database is tried again", []error{errBusy, errBusy, nil}, 3, nil},
		{"another error is final", []error{errBusy, errOther, nil}, 2, errOther},
		{"a database that stays busy is given up", []error{errBusy}, 8, errBusy},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			err := txn.Retry(t.Context(), func(err error) bool { return errors.Is(err, errBusy) }, func() error {
				tries++
				return c.results[min(tries, len(c.results))-1]
			})
			if tries != c.tries || !errors.Is(err, c.want) {
				t.Errorf("%s: %d tries and %v, want %d and %v", c.name, tries, err, c.tries, c.want)
			}
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := txn.Retry(ctx, func(error) bool { return true }, func() error { cancel(); return errBusy })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckKnowsItsDatabase(t *testing.T) {
	one, other := new(int), new(int)
	ctx := txn.Inside(t.Context(), one)
	if err := txn.Check(ctx, one); !errors.Is(err, store.ErrNested) {
		t.Errorf("same database: %v", err)
	}
	if err := txn.Check(ctx, other); err != nil {
		t.Errorf("another database: %v", err)
	}
}
