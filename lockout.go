package weir

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// codeLockout is the code of a refusal by the guard.
const codeLockout = "lockout"

// signInKinds are the objects on which it depends how people sign in.
var signInKinds = []string{catalog.KindFlow, catalog.KindStage, catalog.KindBinding, catalog.KindPolicy, catalog.KindPolicyBinding, catalog.KindBrand}

// someoneCanAdminister tells whether an active superuser has a password or a passkey. It
// is asked at every write, so the order and the subqueries have the database look up
// the members of these groups, by their keys, and nobody else, however many there are.
const someoneCanAdminister = `select exists (select 1 from (` + directory.SuperGroups + `) s where (
	select 1 from group_members gm where gm.group_id = s.id and (
		select u.is_active and (u.password_hash <> '' and u.password_hash not like '!%' or exists (
			select 1 from authenticators a where a.user_id = u.id and a.class = 'webauthn' and a.confirmed))
		from users u where u.id = gm.user_id)
	order by gm.user_id limit 1) = 1)`

// beforeTimeout bounds the look at what was before a write: it waits for a second
// connection while the write holds one.
const beforeTimeout = 5 * time.Second

// guardLockout implements catalog.Config.Guard: what worked before a write and would
// not after it is refused as field.Errors, unless the write is forced; an event
// tells of that. What did not work before may be built up in any order.
func (in *Installation) guardLockout(ctx context.Context, tx store.Tx, meta catalog.Meta, before, after *catalog.Snapshot, changes []catalog.Change) error {
	var reasons []string
	if slices.ContainsFunc(changes, func(c catalog.Change) bool { return slices.Contains(signInKinds, c.Kind) }) {
		now := in.now()
		if reason := noSignIn(after, now); reason != "" && noSignIn(before, now) == "" {
			reasons = append(reasons, "After this change nobody could sign in any more: "+reason+".")
		}
	}
	lost, err := in.losesAdministrators(ctx, tx)
	if err != nil {
		return err
	}
	if lost {
		reasons = append(reasons, "After this change no active administrator would have a password or a passkey to sign in with.")
	}
	switch {
	case len(reasons) == 0:
		return nil
	case !meta.Force:
		return field.Errorf(field.NonField, codeLockout, "%s Force the change if you want it all the same.", strings.Join(reasons, " "))
	}
	return in.events.Record(ctx, tx, event.Event{Action: event.ConfigurationWarning, User: meta.Person, HTTP: meta.HTTP, Brand: meta.Brand,
		Context: map[string]any{"message": "A change that locks people out was forced. " + strings.Join(reasons, " "), "cause": meta.Source}})
}

// noSignIn says why nobody can sign in on the default brand; empty when somebody may
// be able to. As flow.Executor.Choose does, it looks at the brand's flow or else at
// the first flow for it whose policies pass.
func noSignIn(c *catalog.Snapshot, now time.Time) string {
	if id := c.BrandFor("").Authentication; id != nil {
		if f, ok := c.Flow(*id); ok {
			return noWayThrough(c, f, now)
		}
	}
	first := ""
	for _, f := range c.FlowsFor(flow.Authentication) {
		if prove.Refuses(c, f, now) {
			continue
		}
		reason := noWayThrough(c, f, now)
		if reason == "" {
			return ""
		}
		if first == "" {
			first = reason
		}
		if prove.Admits(c, f, now) {
			break
		}
	}
	if first == "" {
		return "no flow is left that signs people in: the default brand names none, and none of the designation authentication lets anybody in"
	}
	return first
}

func noWayThrough(c *catalog.Snapshot, f *flow.Flow, now time.Time) string {
	reason := prove.NoSignIn(c, f, now)
	if reason != "" {
		reason = fmt.Sprintf("they get the flow %q, and %s", f.Slug, reason)
	}
	return reason
}

// losesAdministrators tells whether a write takes the last way in from those who
// administer.
func (in *Installation) losesAdministrators(ctx context.Context, tx store.Tx) (bool, error) {
	is := func() (found bool, err error) {
		if err = tx.QueryRow(ctx, someoneCanAdminister).Scan(&found); err != nil {
			err = fmt.Errorf("look for an administrator who can sign in: %w", err)
		}
		return found, err
	}
	if found, err := is(); err != nil || found {
		return false, err
	}
	var was bool
	// The context of a write reads nothing else, for both could wait for ever: this
	// one ends, and others that wait for this write with it.
	outside, cancel := context.WithTimeout(context.Background(), beforeTimeout)
	defer cancel()
	if err := in.db.QueryRow(outside, someoneCanAdminister).Scan(&was); err != nil {
		return false, fmt.Errorf("look for an administrator who could sign in before: %w", err)
	}
	if !was {
		return false, nil
	}
	// Somebody else may have given one a way in between the two looks, such as another
	// node at its first start; then this look finds it too.
	found, err := is()
	return !found, err
}

// lockedOut is the reason for which the guard refused a write; false for other errors.
func lockedOut(err error) (string, bool) {
	var problems field.Errors
	if !errors.As(err, &problems) {
		return "", false
	}
	for _, p := range problems[field.NonField] {
		if p.Code == codeLockout {
			return p.String, true
		}
	}
	return "", false
}
