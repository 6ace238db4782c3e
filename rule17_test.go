package weir

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

func TestRule17APasswordOrATokenOfTheSettingsLeavesNoSetUp(t *testing.T) {
	for name, set := range map[string]func(*Settings){
		"password": func(s *Settings) { s.Bootstrap.Password = "correct horse" },
		"token":    func(s *Settings) { s.Bootstrap.Token = "a-bootstrap-token-of-some-length" },
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			plain := s
			set(&s)
			b := begin(t, s)
			if link := b.link(); link != "" {
				t.Errorf("the start announces %q", link)
			}
			b.exec("update users set password_hash = '!'")
			b.exec("delete from tokens")
			b.ends(plain, "without a way in")
		})
	}
}

// The set-up happens once in the life of an installation, whatever becomes of
// the administrator and the flow.
func TestRule17TheSetUpIsAOneWayLatch(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		second, err := b.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		third := begin(t, s).link()
		half := visit(t, b.Server)
		if r := half.do("POST", recoverPath(setupFlow, keyOf(t, second)), `{"username":"root","email":"root@example.org","password":"a","password_repeat":"b"}`); r.component() != "ak-stage-prompt" {
			t.Fatalf("a slip of the pen ends with %v", r.body)
		}
		if r := visit(t, b.Server).setsUp(b.link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("the set-up ends with %v", r.body)
		}
		if r := half.setsUp(second, "of an attacker"); r.component() != "ak-stage-access-denied" {
			t.Errorf("another link that was under way ends with %v", r.body)
		}
		links := []string{b.link(), second, third}
		check := func(why string) {
			t.Helper()
			b.refused(why, links...)
			b.ends(s, why)
		}
		check("after the set-up")
		if r := visit(t, b.Server).signIn("root", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the password of the one who was first leads to %v", r.body)
		}
		apply(t, b.Server, "entries: [{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {name: Default - Initial set-up flow}}}]\n")
		check("after another import of the flow")
		b.exec("update users set password_hash = '!'")
		check("without a password")
		b.exec("update users set username = 'akadmin', username_key = 'akadmin'")
		check("under the first name")
		b.exec("delete from users")
		check("without an administrator")
		if _, err := b.CreateUser(t.Context(), NewUser{Username: "akadmin", Superuser: true}); err != nil {
			t.Fatal(err)
		}
		check("with another akadmin")
	})
}

func TestRule17DeletingTheFirstAdministratorDoesNotReopenTheSetUp(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		b.exec("delete from users")
		s.Bootstrap.Password = "attacker's choice"
		b.refused("without an administrator", b.link())
		b.ends(s, "without an administrator")
		var n int
		if err := b.db.QueryRow(t.Context(), "select count(*) from users").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d users after the second start (%v), want none", n, err)
		}
		if _, err := b.CreateUser(t.Context(), NewUser{Username: "akadmin", Superuser: true}); err != nil {
			t.Fatal(err)
		}
		b.ends(s, "with another akadmin")
	})
}

// Whoever gave an administrator a way in otherwise needs no set-up, and finds no
// link into it in the output of later starts, also when it was taken away at once.
func TestRule17AnAdministratorWithAWayInEndsTheSetUp(t *testing.T) {
	const applied = "entries: [{model: authentik_core.user, identifiers: {username: ada}, attrs: {name: Ada, password: correct horse, groups: [!Find [authentik_core.group, [name, authentik Admins]]]}}]\n"
	for name, give := range map[string]func(ctx context.Context, b *begun) error{
		"a password for akadmin": func(ctx context.Context, b *begun) error { return b.SetPassword(ctx, "akadmin", "correct horse") },
		"another administrator": func(ctx context.Context, b *begun) error {
			_, err := b.CreateUser(ctx, NewUser{Username: "ada", Password: "correct horse", Superuser: true})
			return err
		},
		"another in a file": func(ctx context.Context, b *begun) error { apply(t, b.Server, applied); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s Settings) {
				b := begin(t, s)
				for _, n := range []NewUser{{Username: "max", Password: "correct horse"}, {Username: "moritz", Superuser: true}} {
					if _, err := b.CreateUser(t.Context(), n); err != nil {
						t.Fatal(err)
					}
				}
				if r := visit(t, b.Server).opens(b.link()); r.component() != "ak-stage-prompt" {
					t.Fatalf("with others who cannot administer the link shows %v", r.body)
				}
				if err := give(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				b.exec("delete from users where username not in ('akadmin')")
				b.exec("update users set password_hash = '!'")
				b.refused("after the way in was taken away", b.link())
				b.ends(s, "after the way in was taken away")
			})
		})
	}
}

// The same for ways in that no command or file gave: the link closes the set-up
// itself.
func TestRule17TheLinkIsRefusedWhileAnAdministratorHasAWayIn(t *testing.T) {
	for name, give := range map[string]func(ctx context.Context, b *begun, tx store.Tx) error{
		"by a group of a group": func(ctx context.Context, b *begun, tx store.Tx) error {
			top, err := b.admins(ctx, tx)
			if err != nil {
				return err
			}
			team := identity.Group{Name: "team", Parents: []uuid.UUID{top.ID}}
			if err := b.people.CreateGroup(ctx, tx, &team); err != nil {
				return err
			}
			max, err := b.people.FindUsers(ctx, tx, map[string]any{"username": "max"})
			if err != nil {
				return err
			}
			if err := b.people.AddMember(ctx, tx, team.ID, max[0].ID); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "update users set password_hash = '$argon2id$' where username = 'max'")
			return err
		},
		"by a token": func(ctx context.Context, b *begun, tx store.Tx) error {
			admin, err := b.setupAdmin(ctx, tx, "")
			if err != nil {
				return err
			}
			_, err = b.tokens.Create(ctx, tx, &token.Token{Identifier: "app", Intent: token.AppPassword, UserID: admin.ID}, "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s Settings) {
				b := begin(t, s)
				if _, err := b.CreateUser(t.Context(), NewUser{Username: "max"}); err != nil {
					t.Fatal(err)
				}
				if r := visit(t, b.Server).opens(b.link()); r.component() != "ak-stage-prompt" {
					t.Fatalf("the link shows %v", r.body)
				}
				if err := b.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return give(ctx, b, tx) }); err != nil {
					t.Fatal(err)
				}
				b.refused("with a way in", b.link())
				b.exec("delete from tokens")
				b.exec("update users set password_hash = '!'")
				b.refused("after it was taken away", b.link())
				b.ends(s, "after it was taken away")
			})
		})
	}
}

// A set-up that could not be stored has not happened: nobody is locked out.
func TestRule17ASetUpThatFailsAtTheEndIsStillToBeDone(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		spare := begin(t, s).link()
		c := visit(t, b.Server)
		r := c.do("POST", recoverPath(setupFlow, keyOf(t, b.link())), setupAnswer("correct horse"))
		if r.status != http.StatusFound {
			t.Fatalf("the answer leads to %d %v", r.status, r.body)
		}
		if _, err := b.CreateUser(t.Context(), NewUser{Username: "root"}); err != nil {
			t.Fatal(err)
		}
		if r := c.follow(r); r.component() != "ak-stage-access-denied" {
			t.Errorf("with a name that was taken meanwhile the set-up ends with %v", r.body)
		}
		b.exec("delete from users where username = 'root'")
		if r := visit(t, b.Server).setsUp(b.link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the second try ends with %v", r.body)
		}
		// That one has: also when nobody looked before the password was gone.
		b.exec("update users set username = 'akadmin', username_key = 'akadmin', password_hash = '!'")
		b.refused("after the set-up", spare)
		b.ends(s, "after the set-up")
	})
}

// Whatever a file makes of the flow after the set-up, it leads nobody to the
// account of an administrator.
func TestRule17AFlowThatIsOpenedByAFileSetsNothingUp(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		if r := visit(t, b.Server).setsUp(b.link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("the set-up ends with %v", r.body)
		}
		apply(t, b.Server, "entries: [{model: authentik_flows.flow, identifiers: {slug: initial-setup}, attrs: {authentication: none}}]\n")
		b.ends(s, "after the flow was opened")
		c := visit(t, b.Server)
		answer := `{"username":"other","email":"other@example.org","password":"of an attacker","password_repeat":"of an attacker"}`
		if r := c.follow(c.do("POST", "/api/v3/flows/executor/initial-setup/", answer)); r.component() != "ak-stage-access-denied" {
			t.Errorf("without a link the flow ends with %v", r.body)
		}
		if r := visit(t, b.Server).signIn("root", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the administrator is refused: %v", r.body)
		}
	})
}

func TestRule13FiftyUsesOfSetUpLinksMakeOneAdministrator(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprint("links ", n), func(t *testing.T) {
			each(t, func(t *testing.T, s Settings) {
				b := begin(t, s)
				links := []string{b.link()}
				for len(links) < n {
					link, err := b.SetupLink(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					links = append(links, link)
				}
				won := race(t, b.Server, func(c *client, i int) reply { return c.setsUp(links[i%n], fmt.Sprint("words ", i)) })
				if r := visit(t, b.Server).signIn("root", fmt.Sprint("words ", won)); r.component() != "xak-flow-redirect" {
					t.Errorf("the password of the one who got in does not open the account: %v", r.body)
				}
			})
		})
	}
}

func TestRule13TransactionsAtOnceCloseTheSetUpOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		const nodes = 5
		var open, done sync.WaitGroup
		var closed atomic.Int64
		errs := make([]error, nodes)
		open.Add(nodes)
		for i := range nodes {
			began := sync.OnceFunc(open.Done) // a transaction may run again
			done.Go(func() {
				ok := false
				errs[i] = b.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
					began()
					if s.DatabaseURL != "" {
						open.Wait() // SQLite has one transaction at a time
					}
					ok, err = b.closeSetup(ctx, tx)
					return err
				})
				if ok {
					closed.Add(1)
				}
			})
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil || closed.Load() != 1 {
			t.Errorf("%d transactions closed the set-up (%v), want one", closed.Load(), err)
		}
	})
}

func TestRule14ASetUpLinkIsRefusedAfterItsTime(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		half := visit(t, b.Server)
		r := half.do("POST", recoverPath(setupFlow, keyOf(t, b.link())), setupAnswer("too late"))
		if r.status != http.StatusFound {
			t.Fatalf("the answer leads to %d %v", r.status, r.body)
		}
		b.exec("update flow_tokens set expires = $1", time.Now().Add(-time.Second))
		b.refused("after its time", b.link())
		if r := half.follow(r); r.component() != "ak-stage-access-denied" {
			t.Errorf("a set-up that began in time ends with %v", r.body)
		}
		link, err := b.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r := visit(t, b.Server).setsUp(link, "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the next link leads to %v", r.body)
		}
	})
}

// A link is bound to the account, the flow and the purpose it was made for.
func TestRule15ASetUpLinkHoldsForOnePersonFlowAndPurpose(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		b := begin(t, s)
		apply(t, b.Server, recoveryFlow)
		if r := visit(t, b.Server).do("GET", recoverPath("recover", keyOf(t, b.link())), ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("in another flow the link shows %v", r.body)
		}
		max, err := b.CreateUser(t.Context(), NewUser{Username: "max"})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := b.setupAdmin(t.Context(), b.db, "")
		if err != nil {
			t.Fatal(err)
		}
		other, ok := b.view().FlowBySlug("recover")
		own, found := b.view().FlowBySlug(setupFlow)
		if !ok || !found {
			t.Fatal("a flow is missing")
		}
		for column, change := range map[string][2]any{"user_id": {max, admin.ID}, "purpose": {"recovery", "setup"}, "flow_id": {other.ID, own.ID}} {
			b.exec("update flow_tokens set "+column+" = $1", change[0])
			for _, slug := range []string{setupFlow, "recover"} {
				if r := visit(t, b.Server).do("GET", recoverPath(slug, keyOf(t, b.link())), ""); r.status < 500 && r.component() != "ak-stage-access-denied" {
					t.Errorf("with another %s in the database the link shows %d %v", column, r.status, r.body)
				}
			}
			b.exec("update flow_tokens set "+column+" = $1", change[1])
		}
		if r := visit(t, b.Server).setsUp(b.link(), "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("the link leads to %v", r.body)
		}
	})
}
