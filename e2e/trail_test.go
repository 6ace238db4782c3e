package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
)

// trailLeaked tells that the audit trail of a site held a secret.
var trailLeaked atomic.Bool

// untold is what people type on the sites, and what they must keep to
// themselves.
var untold = []string{token, "the first administrator's password", "correct horse"}

// checkTrail looks for secrets in all that a site has recorded while the tests
// walked through it (rule 45).
func checkTrail(o dial.Options) {
	ctx := context.Background()
	fail := func(format string, args ...any) {
		trailLeaked.Store(true)
		fmt.Fprintf(os.Stderr, "audit trail: "+format+"\n", args...)
	}
	db, err := dial.Open(ctx, o)
	if err != nil {
		fail("%v", err)
		return
	}
	defer db.Close()
	events, err := store.Select(ctx, db, store.Column[string],
		"select action || ' ' || app || ' ' || cast(user_json as text) || ' ' || cast(context as text) || ' ' || username from events")
	if err != nil || len(events) == 0 {
		fail("%d events, %v", len(events), err)
	}
	for _, e := range events {
		for _, secret := range untold {
			if strings.Contains(e, secret) {
				fail("an event holds %q: %s", secret, e)
			}
		}
	}
}
