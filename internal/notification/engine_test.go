package notification

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

func says(v policy.Verdict) policy.Policy {
	return policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		if _, ok := r.Context["event"].(*event.Recorded); !ok {
			return policy.Result{}, errors.New("there is no event")
		}
		return policy.Result{Verdict: v}, nil
	})
}

var (
	yes, no = says(policy.Pass), says(policy.Fail)
	broken  = policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{}, errors.New("broken")
	})
)

func TestWhoIsToldOfAnEvent(t *testing.T) {
	const plain = "custom_plain"
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db, nil)
		top := b.group("top")
		below := b.group("below", top)
		lower := b.group("lower", below)
		ada, bob := b.user("ada", true, top), b.user("bob", true, lower)
		b.user("cut", false, top)
		eve, off := b.user("eve", true), b.user("off", false)
		ghost := identity.NewPerson(identity.User{ID: 999_999, Username: "ghost"}, nil)

		group := func(r *rule.Rule) { r.DestinationGroup = &top }
		eventUser := func(r *rule.Rule) { r.DestinationEventUser = true }
		both := func(r *rule.Rule) { r.DestinationGroup, r.DestinationEventUser = &top, true }
		// one makes a rule with a local transport and a policy.
		one := func(c *config, who func(*rule.Rule), p policy.Policy, change func(*policy.Binding)) *rule.Rule {
			r := c.rule(who, c.transport(rule.Local, nil))
			c.bind(r.ID, p, change)
			return r
		}
		rows := []struct {
			name   string
			config func(c *config) map[string]any // the context of the event
			about  *identity.Person
			want   []string
		}{
			{"a policy lets it through: the members of the group, and of the groups below, who are active",
				func(c *config) map[string]any { one(c, group, yes, nil); return nil }, nil, []string{"ada", "bob"}},
			{"a rule without bindings never fires", func(c *config) map[string]any { c.rule(group, c.transport(rule.Local, nil)); return nil }, nil, nil},
			{"a policy says no", func(c *config) map[string]any { one(c, group, no, nil); return nil }, nil, nil},
			{"a policy has no verdict: silence", func(c *config) map[string]any { one(c, group, broken, nil); return nil }, nil, nil},
			{"a policy has no verdict and the binding says pass",
				func(c *config) map[string]any {
					one(c, group, broken, func(b *policy.Binding) { b.FailureResult = true })
					return nil
				}, nil, []string{"ada", "bob"}},
			{"one of two policies is enough", func(c *config) map[string]any { c.bind(one(c, group, no, nil).ID, yes, nil); return nil }, nil, []string{"ada", "bob"}},
			{"a pass outweighs an error", func(c *config) map[string]any { c.bind(one(c, group, broken, nil).ID, yes, nil); return nil }, nil, []string{"ada", "bob"}},
			{"a negated no", func(c *config) map[string]any {
				one(c, group, no, func(b *policy.Binding) { b.Negate = true })
				return nil
			}, nil, []string{"ada", "bob"}},
			{"a negated yes", func(c *config) map[string]any {
				one(c, group, yes, func(b *policy.Binding) { b.Negate = true })
				return nil
			}, nil, nil},
			{"a binding that is off", func(c *config) map[string]any {
				one(c, group, yes, func(b *policy.Binding) { b.Enabled = false })
				return nil
			}, nil, nil},
			{"a user is bound and the event is about them", func(c *config) map[string]any {
				one(c, group, nil, func(b *policy.Binding) { b.User = &eve.ID })
				return nil
			}, eve, []string{"ada", "bob"}},
			{"a user is bound and the event is about somebody else", func(c *config) map[string]any {
				one(c, group, nil, func(b *policy.Binding) { b.User = &eve.ID })
				return nil
			}, ada, nil},
			{"a group is bound and the event is about a member of one below", func(c *config) map[string]any {
				one(c, group, nil, func(b *policy.Binding) { b.Group = &top })
				return nil
			}, bob, []string{"ada", "bob"}},
			{"a group is bound and the event is about nobody", func(c *config) map[string]any {
				one(c, group, nil, func(b *policy.Binding) { b.Group = &top })
				return nil
			}, nil, nil},
			{"the person of the event", func(c *config) map[string]any { one(c, eventUser, yes, nil); return nil }, eve, []string{"eve"}},
			{"the person of the event and a group", func(c *config) map[string]any { one(c, both, yes, nil); return nil }, eve, []string{"ada", "bob", "eve"}},
			{"the person of the event is in the group: once", func(c *config) map[string]any { one(c, both, yes, nil); return nil }, ada, []string{"ada", "bob"}},
			{"the person of the event is not active", func(c *config) map[string]any { one(c, eventUser, yes, nil); return nil }, off, nil},
			{"the person of the event is gone", func(c *config) map[string]any { one(c, both, yes, nil); return nil }, ghost, []string{"ada", "bob"}},
			{"an event about nobody", func(c *config) map[string]any { one(c, eventUser, yes, nil); return nil }, nil, nil},
			{"no destination", func(c *config) map[string]any { one(c, nil, yes, nil); return nil }, eve, nil},
			{"no transport", func(c *config) map[string]any { c.bind(c.rule(group).ID, yes, nil); return nil }, nil, nil},
			{"two transports", func(c *config) map[string]any {
				c.bind(c.rule(group, c.transport(rule.Local, nil), c.transport(rule.Local, nil)).ID, yes, nil)
				return nil
			}, nil, []string{"ada", "ada", "bob", "bob"}},
			{"a transport that sends once", func(c *config) map[string]any {
				c.bind(c.rule(group, c.transport(rule.Local, func(t *rule.Transport) { t.SendOnce = true })).ID, yes, nil)
				return nil
			}, nil, []string{"ada"}},
			{"a transport that is gone", func(c *config) map[string]any {
				one(c, group, yes, nil)
				clear(c.transports)
				return nil
			}, nil, nil},
			{"two rules", func(c *config) map[string]any { one(c, group, yes, nil); one(c, eventUser, yes, nil); return nil }, eve, []string{"ada", "bob", "eve"}},
			{"one of two rules", func(c *config) map[string]any { one(c, group, no, nil); one(c, eventUser, yes, nil); return nil }, eve, []string{"eve"}},
			{"an event about a policy of some rule, by which it would make itself", func(c *config) map[string]any {
				r := one(c, nil, no, nil)
				one(c, group, yes, nil)
				return map[string]any{"policy_uuid": strings.ReplaceAll(c.PolicyBindings(r.ID)[0].Policy.String(), "-", "")}
			}, nil, nil},
			{"an event about another policy", func(c *config) map[string]any {
				one(c, group, yes, nil)
				return map[string]any{"policy_uuid": uuid.NewString()}
			}, nil, []string{"ada", "bob"}},
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				b.config = newConfig()
				context := row.config(b.config)
				id := b.record(event.Event{Action: plain, App: "test", User: row.about, Context: context})
				b.work()
				if diff := cmp.Diff(row.want, b.told(id)); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		}
		if len(b.failures) > 0 {
			t.Errorf("jobs failed: %v", b.failures)
		}
	})
}

// What the policies of a rule record makes no notification, or it would make the
// next one, and so on for ever.
func TestARuleCannotCauseItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		var mails []string
		b := newBench(t, db, func(c *Config) {
			c.PolicyMail = func(_ context.Context, _ store.Tx, _ *identity.Person, m policy.Mail) error {
				mails = append(mails, m.Subject)
				return nil
			}
		})
		staff := b.group("staff")
		b.user("ada", true, staff)
		r := b.config.rule(func(r *rule.Rule) { r.DestinationGroup = &staff }, b.config.transport(rule.Local, nil))
		b.config.bind(r.ID, broken, nil)
		b.config.bind(r.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
			return policy.Result{Verdict: policy.Pass, Events: []policy.Event{{Action: "custom_again", App: "p"}}, Mails: []policy.Mail{{Subject: "from the policy"}}}, nil
		}), nil)
		b.record(event.Event{Action: "custom_first", App: "test"})
		b.work()
		if b.asked != 1 || !slices.Equal(mails, []string{"from the policy"}) {
			t.Errorf("the rules were asked %d times, and made the mails %v", b.asked, mails)
		}
		for _, purpose := range []mail.Purpose{mail.Notice, mail.Policy, mail.Recovery} {
			b.record(event.Event{Action: event.EmailSent, App: "weir.mail", Context: map[string]any{"purpose": string(purpose)}})
		}
		b.work()
		if b.asked != 2 {
			t.Errorf("the rules were asked %d times in all, want once more, about the mail of a flow", b.asked)
		}
		want := []string{"custom_again", "custom_again", "custom_first", "email_sent", "email_sent", "email_sent", "policy_exception", "policy_exception"}
		if diff := cmp.Diff(want, b.actions()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// picky tells from the action alone what it will say.
type picky struct{ action event.Action }

func (p picky) CanMatch(e *event.Recorded) bool { return e.Action == p.action }

func (p picky) Evaluate(_ context.Context, r *policy.Request) (policy.Result, error) {
	if r.Context["event"].(*event.Recorded).Action == p.action {
		return policy.Result{Verdict: policy.Pass}, nil
	}
	return policy.Result{Verdict: policy.Fail}, nil
}

func TestEventsThatNoRuleCanWantCostNothing(t *testing.T) {
	rows := []struct {
		name   string
		change func(*policy.Binding)
		policy policy.Policy
		logs   bool
		want   int
	}{
		{"the policy cannot match", nil, picky{"custom_other"}, false, 0},
		{"the policy can match", nil, picky{"custom_it"}, false, 1},
		{"the policy cannot tell", nil, no, false, 1},
		{"the opposite of what cannot match matches", func(b *policy.Binding) { b.Negate = true }, picky{"custom_other"}, false, 1},
		{"each evaluation of the policy is recorded", nil, picky{"custom_other"}, true, 1},
	}
	b := newBench(t, storetest.SQLite(t), nil)
	staff := b.group("staff")
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b.config, b.asked = newConfig(), 0
			r := b.config.rule(func(r *rule.Rule) { r.DestinationGroup = &staff }, b.config.transport(rule.Local, nil))
			b.config.bind(r.ID, row.policy, row.change).ExecutionLogging = row.logs
			b.record(event.Event{Action: "custom_it", App: "test"})
			b.work()
			if b.asked != row.want {
				t.Errorf("%d jobs, want %d", b.asked, row.want)
			}
		})
	}
}

func TestAnEventStormIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db, func(c *Config) { c.PerMinute = 3 })
		staff := b.group("staff")
		b.user("ada", true, staff)
		r := b.config.rule(func(r *rule.Rule) { r.DestinationGroup = &staff }, b.config.transport(rule.Local, nil))
		b.config.bind(r.ID, yes, nil)
		for range 20 {
			b.record(event.Event{Action: "custom_storm", App: "test", Context: map[string]any{"message": "again"}})
		}
		b.work()
		bodies, err := store.Select(t.Context(), db, store.Column[string], "select body from notifications")
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(bodies, func(a, b string) int { return len(b) - len(a) })
		if len(bodies) != 4 || !strings.Contains(bodies[0], "fires too often") || bodies[1] != "again" {
			t.Errorf("got %d notifications: %q", len(bodies), bodies)
		}
	})
}

func TestRecipientsArePagedAndBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db, nil)
		staff := b.group("staff")
		const people = MaxRecipients + 50
		b.write(func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Exec(ctx, `with recursive c(i) as (select 1 union all select i + 1 from c where i < $1)
				insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, attributes, password_hash, password_changed_at, date_joined, last_updated)
				select 'u' || i, 'u' || i, 'u' || i, '', '', '', '', true, 'internal', 'users', '{}', '!', $2, $2, $2 from c`, people, noon); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "insert into group_members (group_id, user_id) select $1, id from users", staff)
			return err
		})
		r := b.config.rule(func(r *rule.Rule) { r.DestinationGroup = &staff },
			b.config.transport(rule.Local, nil), b.config.transport(rule.Local, func(t *rule.Transport) { t.SendOnce = true }))
		b.config.bind(r.ID, yes, nil)
		b.record(event.Event{Action: "custom_all", App: "test"})
		b.work()
		var all, different int
		if err := db.QueryRow(t.Context(), "select count(*), count(distinct user_id) from notifications").Scan(&all, &different); err != nil {
			t.Fatal(err)
		}
		if all != MaxRecipients+1 || different != MaxRecipients {
			t.Errorf("%d notifications for %d people", all, different)
		}
	})
}

// A job that is done twice, because the node died before that was noted, tells
// nobody twice.
func TestAJobDoneTwiceTellsOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db, nil)
		staff := b.group("staff")
		b.user("ada", true, staff)
		r := b.config.rule(func(r *rule.Rule) { r.DestinationGroup = &staff }, b.config.transport(rule.Local, nil), b.config.transport(rule.Webhook, nil))
		b.config.bind(r.ID, yes, nil)
		id := b.record(event.Event{Action: "custom_once", App: "test"})
		b.work()
		clear(b.done)
		b.work()
		if got := b.told(id); len(got) != 1 {
			t.Errorf("told: %v", got)
		}
		var sends int
		if err := db.QueryRow(t.Context(), "select count(*) from river_job where kind = $1", sendArgs{}.Kind()).Scan(&sends); err != nil || sends != 1 {
			t.Errorf("%d jobs to send, %v", sends, err)
		}
	})
}
