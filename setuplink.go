package weir

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// setupFlow is the slug of the flow by which the first administrator chooses a
// password, and setupHolds is how long a link into it does.
const (
	setupFlow  = "initial-setup"
	setupHolds = 24 * time.Hour
)

// setupStart tells policies that a link for the set-up led into the flow.
var setupStart = map[string]any{"goauthentik.io/core/setup/started-by": "setup"}

// ErrNoSetup means that there is no initial set-up to be done: it was, or the
// first start has not been.
var ErrNoSetup = errors.New("there is no initial set-up to be done")

// someoneAdministers counts administrators with a password or a token: akadmin, and
// the members of groups that make superusers. Whether it is of use now does not
// matter: there was a way in.
const someoneAdministers = `select count(*) from users u where (u.password_hash not like '!%' or exists (select 1 from tokens t where t.user_id = u.id))
	and (u.username = $1 or u.id in (select gm.user_id from group_members gm where gm.group_id in (` + directory.SuperGroups + `)))`

// setupAdmin is akadmin as long as the initial set-up is open, nil once it is not:
// after a link was used, and for good. Until then it is closed to everybody too
// while an administrator has a password or a token, given by a command or a
// blueprint, or akadmin is gone.
func (in *Installation) setupAdmin(ctx context.Context, q store.Querier, lock string) (*identity.User, error) {
	latches, err := in.latches(ctx, q, lock)
	if err != nil {
		return nil, err
	}
	if done, noted := latches[latchSetup]; done || !noted {
		return nil, nil
	}
	var n int
	if err := q.QueryRow(ctx, someoneAdministers, adminName).Scan(&n); err != nil {
		return nil, fmt.Errorf("count administrators: %w", err)
	}
	if n > 0 {
		return nil, nil
	}
	found, err := in.people.FindUsers(ctx, q, map[string]any{"username": adminName})
	if err != nil || len(found) == 0 || !found[0].Active {
		return nil, err
	}
	return &found[0], nil
}

// setupOpen implements flowtoken.Tokens.SetupOpen.
func (in *Installation) setupOpen(ctx context.Context) (bool, error) {
	admin, err := in.setupAdmin(ctx, in.db, "")
	if err != nil || admin != nil {
		return admin != nil, err
	}
	return false, in.settleSetup(ctx)
}

// closeSetup implements flowtoken.Tokens.CloseSetup. The lock lets one of those
// through who use different links at once.
func (in *Installation) closeSetup(ctx context.Context, tx store.Tx) (bool, error) {
	admin, err := in.setupAdmin(ctx, tx, tx.Dialect().ForUpdate())
	if err != nil || admin == nil {
		return false, err
	}
	return true, in.shut(ctx, tx, latchSetup)
}

// SetupLink makes a link by which akadmin, the first administrator, chooses a
// password. It holds for a day beside other such links, until one of them is
// used; from then on, and when an administrator got a way in otherwise,
// the error is ErrNoSetup. It wraps flow.ErrNoFlow when the flow initial-setup
// is gone, and is a *flow.RefusedError when that flow does not apply.
func (in *Installation) SetupLink(ctx context.Context) (string, error) {
	admin, err := in.setupAdmin(ctx, in.db, "")
	if err != nil {
		return "", err
	}
	if admin == nil {
		return "", errors.Join(ErrNoSetup, in.settleSetup(ctx))
	}
	f, ok := in.view().FlowBySlug(setupFlow)
	if !ok {
		return "", fmt.Errorf("make set-up link: flow %q: %w", setupFlow, flow.ErrNoFlow)
	}
	person, err := in.people.Person(ctx, admin.ID)
	if err != nil {
		return "", err
	}
	site := in.config.Site()
	plan, err := flow.NewExecutor(in.flowConfig()).Prepare(ctx, f, flow.RefTo(person), setupStart, &policy.HTTPRequest{Host: site.Host}, in.view().BrandFor(site.Hostname()))
	if err != nil {
		return "", fmt.Errorf("make set-up link: %w", err)
	}
	link, err := in.putLink(ctx, f, flowtoken.ForSetup(person, plan, in.now().Add(setupHolds)), person, "A link for the initial set-up was made.",
		func(ctx context.Context, tx store.Tx) error {
			if admin, err := in.setupAdmin(ctx, tx, tx.Dialect().ForUpdate()); err != nil || admin == nil {
				return errors.Join(err, ErrNoSetup)
			}
			return nil
		})
	if err != nil {
		return "", fmt.Errorf("make set-up link: %w", err)
	}
	return link, nil
}

// settleSetup closes a set-up that nobody needs any more, so that it stays closed
// whatever becomes of the administrator who has a way in. Whatever may have given
// somebody one calls it.
func (in *Installation) settleSetup(ctx context.Context) error {
	latches, err := in.latches(ctx, in.db, "")
	if done, noted := latches[latchSetup]; err != nil || done || !noted {
		return err
	}
	return in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		admin, err := in.setupAdmin(ctx, tx, tx.Dialect().ForUpdate())
		if err != nil || admin != nil {
			return err
		}
		return in.shut(ctx, tx, latchSetup)
	})
}

// announceSetup shows a link for the initial set-up if that is to be done. Whoever
// has taken its flow away still gets a server, and a hint.
func (s *Server) announceSetup(ctx context.Context) error {
	if s.announce == nil {
		return nil
	}
	link, err := s.SetupLink(ctx)
	var refused *flow.RefusedError
	switch {
	case errors.Is(err, ErrNoSetup):
		return nil
	case errors.Is(err, flow.ErrNoFlow) || errors.As(err, &refused):
		s.log.WarnContext(ctx, "the initial set-up cannot be walked; `weir user password "+adminName+"` sets a password", "error", err)
		return nil
	case err != nil:
		return err
	}
	return s.announce(link)
}
