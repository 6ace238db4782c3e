package blueprint_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// sound is a list of entries that all say something new of stored objects, or
// make some; those behind speak of those before.
var sound = []string{
	"{model: authentik_core.group, id: group, identifiers: {name: staff}, attrs: {attributes: {a: [1, 2]}}}",
	"{model: authentik_core.user, id: user, identifiers: {username: ada}, attrs: {name: Lovelace, groups: [!KeyOf group], password: correct horse}}",
	"{model: authentik_flows.flow, id: flow, identifiers: {slug: one}, attrs: {title: New, designation: recovery, name: One}}",
	"{model: authentik_stages_deny.denystage, id: deny, identifiers: {name: deny}, attrs: {deny_message: !Format [\"%s\", x]}}",
	"{model: authentik_flows.flowstagebinding, id: binding, identifiers: {target: !KeyOf flow, stage: !KeyOf deny, order: 2}}",
	"{model: authentik_core.token, identifiers: {identifier: t}, attrs: {intent: api, user: !KeyOf user, expiring: false}}",
	"{model: authentik_rbac.role, identifiers: {name: role}, permissions: [{permission: view_role, user: !KeyOf user}]}",
	"{model: authentik_stages_dummy.dummystage, identifiers: {name: gone}, state: absent}",
}

// unsound are entries with a problem each, and what is said of it.
var unsound = []struct{ entry, says string }{
	// What is found on reading.
	{"{model: authentik_flows.flow, identifiers: {slug: !Sum [1]}}", "field slug: the tag !Sum is not known"},
	{"{model: authentik_core.group, id: 5, identifiers: {name: x}}", "the id must be text, not a number"},
	{"{model: flow, identifiers: {slug: x}}", "the model must be an app and a name"},
	{"{identifiers: {slug: x}}", "the entry has no model"},
	{"{model: authentik_core.group, state: there, identifiers: {name: x}}", "the state must be one of"},
	{"{model: authentik_core.group, conditions: true, identifiers: {name: x}}", "conditions must be a list"},
	{"{model: authentik_core.group, identifiers: [x]}", "identifiers must be a mapping"},
	{"{model: authentik_core.group, identifiers: {name: x}, attrs: {1: x}}", "the keys of attrs must be text"},
	{"{model: authentik_core.group, identifiers: {name: x}, permissions: {a: b}}", "permissions must be a list"},
	{"{model: authentik_core.group, identifiers: {name: !If [a, b]}}", "!If takes a list"},
	{"{model: authentik_core.group, identifiers: {name: !ParseJSON '['}}", "!ParseJSON"},
	{"{model: authentik_core.group, identifiers: {name: x, name: y}}", "is given twice"},
	{"{model: authentik_stages_user_write.userwritestage, identifiers: {name: x}, attrs: {can_create_users: !Context a}}", "can_create_users has to be"},
	{"not an entry", "an entry must be a mapping"},
	// What is found on applying.
	{"{model: authentik_core.gruop, identifiers: {name: x}}", `did you mean "authentik_core.group"?`},
	{"{model: authentik_providers_oauth2.oauth2provider, identifiers: {name: x}}", "belongs to providers, which Weir does not have"},
	{"{model: authentik_stages_authenticator_totp.totpdevice, identifiers: {name: x}}", "cannot be written"},
	{"{model: authentik_core.group}", "the entry needs identifiers"},
	{"{model: authentik_core.group, identifiers: {colour: x}}", `cannot be found by "colour"`},
	{"{model: authentik_flows.flow, identifiers: {slug: x}, attrs: {name: x, title: x}}", "field designation: Fill in this field."},
	{"{model: authentik_flows.flow, identifiers: {slug: x}, attrs: {name: x, title: x, designation: none}}", "field designation: Choose one of"},
	{"{model: authentik_flows.flow, identifiers: {slug: one}, attrs: {title: null}}", "field title: Enter a value"},
	{"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, groups: [10000000-0000-4000-8000-000000000009]}}", "field groups: "},
	{"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, password: a, password_hash: b}}", "not both"},
	{"{model: authentik_core.user, identifiers: {pk: 99, username: ADA}, attrs: {name: x}}", "field username: "},
	{"{model: authentik_flows.flowstagebinding, identifiers: {target: !Find [authentik_flows.flow, [slug, none]], order: 1}}", "field target: Enter a value; null is not allowed here. !Find has found nothing."},
	{"{model: authentik_flows.flowstagebinding, identifiers: {target: !Find [authentik_flows.flow, [slug, one]], stage: !Find [authentik_flows.stage, [name, deny]], order: 9}, attrs: {re_evaluate_policies: false}}", "with neither the binding's policies would never be evaluated"},
	{"{model: authentik_policies.policybinding, identifiers: {target: !Find [authentik_flows.flow, [slug, one]], order: 0}}", "policy, group or user"},
	{"{model: authentik_core.group, state: must_created, identifiers: {name: staff}}", "exists already"},
	{"{model: authentik_core.group, state: !Format [\"%s\", there], identifiers: {name: x}}", "the state must be one of"},
	{"{model: authentik_core.group, identifiers: {name: !KeyOf nobody}}", "field name: !KeyOf nobody"},
	{"{model: authentik_core.group, identifiers: {name: !Find [a.b, [c, d]]}}", "the model a.b is not known"},
	{"{model: authentik_core.group, identifiers: {name: !Format [\"%d\", a]}}", "needs a number"},
	{"{model: authentik_core.group, conditions: [!AtIndex [[a], 5]], identifiers: {name: x}}", `there is no "5"`},
	{"{model: authentik_core.group, identifiers: {name: !Enumerate [5, SEQ, x]}}", "!Enumerate goes through"},
	{"{model: authentik_core.group, identifiers: {name: x}, permissions: [{permission: view_group, user: 99}]}", "user"},
	{"{model: authentik_core.group, identifiers: {name: x}, permissions: [{permission: view_flow, user: 1}]}", "Name a permission of this model"},
	{"{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {name: Nowhere}}}", "There is no blueprint Nowhere"},
	{"{model: authentik_core.token, identifiers: {identifier: x}, attrs: {intent: recovery, user: 1}}", "other tokens are made by flows"},
	{"{model: authentik_policies_expression.expressionpolicy, identifiers: {name: x}, attrs: {expression: \"return (\"}}", "field expression: "},
}

// A refused import leaves every table as it was, whatever the problem is and
// wherever it stands, and it tells of that problem alone, with its place.
func TestWhateverIsRefusedLeavesNothingBehind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		s := newSite(t, db, nil)
		s.mustApply(t, "entries:\n- "+strings.Join([]string{
			"{model: authentik_core.group, identifiers: {name: staff}}",
			"{model: authentik_core.user, identifiers: {username: ada}, attrs: {name: Ada}}",
			"{model: authentik_flows.flow, identifiers: {slug: one}, attrs: {name: One, title: Old, designation: recovery}}",
			"{model: authentik_stages_deny.denystage, identifiers: {name: deny}}",
			"{model: authentik_stages_dummy.dummystage, identifiers: {name: gone}}",
		}, "\n- ")+"\n")
		before, sizes := s.tables(t), s.sizes(t)
		for i, problem := range unsound {
			// On PostgreSQL a walk through all positions takes its time, so each
			// problem stands at another one.
			at := []int{i % (len(sound) + 1)}
			if db.Dialect() == store.SQLite {
				at = []int{0, 3, 5, len(sound)}
			}
			for _, at := range at {
				entries := append(append(append([]string{}, sound[:at]...), problem.entry), sound[at:]...)
				_, err := s.apply(t, blueprint.Options{}, "entries:\n- "+strings.Join(entries, "\n- ")+"\n")
				var errs blueprint.Errors
				if !errors.As(err, &errs) {
					t.Errorf("%s is not refused: %v", problem.entry, err)
					continue
				}
				for _, e := range errs {
					if e.File == "" || e.Line != at+2 || e.Column == 0 || e.Entry != at+1 {
						t.Errorf("%s: the place is wrong, or it is said of another entry: %v", problem.entry, e)
					}
				}
				if !strings.Contains(err.Error(), problem.says) {
					t.Errorf("%s: %v\nwant %s", problem.entry, err, problem.says)
				}
				if diff := cmp.Diff(before, s.tables(t)); diff != "" {
					t.Fatalf("%s at %d changed the store:\n%s", problem.entry, at, diff)
				}
			}
			if diff := cmp.Diff(sizes, s.sizes(t)); diff != "" {
				t.Fatalf("%s left rows behind:\n%s", problem.entry, diff)
			}
		}
		view := s.catalog.Snapshot()
		if err := s.catalog.Refresh(t.Context()); err != nil || view.Revision() != s.catalog.Snapshot().Revision() {
			t.Errorf("the snapshot is not the stored one: %v", err)
		}
		// All of it is sound, and is not what was there.
		if report := s.mustApply(t, "entries:\n- "+strings.Join(sound, "\n- ")+"\n"); report.Count(blueprint.Unchanged) > 0 {
			t.Errorf("the entries around say nothing new: %v", report.Changes)
		}
	})
}

// sizes counts the rows of all tables.
func (s *site) sizes(t *testing.T) map[string]string {
	t.Helper()
	names := "select name from sqlite_master where type = 'table' order by name"
	if s.db.Dialect() == store.Postgres {
		names = "select table_name from information_schema.tables where table_schema = current_schema() order by table_name"
	}
	tables, err := store.Select(t.Context(), s.db, store.Column[string], names)
	if err != nil || len(tables) < 20 {
		t.Fatalf("%d tables: %v", len(tables), err)
	}
	out := map[string]string{}
	for _, table := range tables {
		var n int
		if err := s.db.QueryRow(t.Context(), "select count(*) from "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out[table] = fmt.Sprint(n)
	}
	return out
}
