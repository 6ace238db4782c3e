package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// gateConfig is a stage with a bit of everything.
type gateConfig struct {
	Words  []string   `json:"words"`
	Secret string     `json:"secret" field:"secret,blank"`
	Inner  *uuid.UUID `json:"inner" field:"null,ref=stage:gate"`
	Flow   *uuid.UUID `json:"flow" field:"null,ref=flow"`
}

type ruleConfig struct {
	Say string `json:"say" field:"required"`
}

func stageTypes() []flow.StageType {
	none := func(gateConfig) flow.Effects { return flow.Effects{} }
	return []flow.StageType{flow.NewStageType(flow.StageType{Name: "gate", Model: "app_gate.gatestage"},
		func() gateConfig { return gateConfig{Words: []string{}} }, none,
		func(string, gateConfig) flow.Stage {
			return flow.Plain(func(context.Context, *flow.Exec) (flow.Outcome, error) { return flow.Done(), nil })
		})}
}

func policyTypes() []policy.Type {
	return []policy.Type{policy.NewType(policy.Type{Name: "rule", Model: "app_rule.rulepolicy"}, func() ruleConfig { return ruleConfig{} },
		func(_ string, c ruleConfig) (policy.Policy, error) {
			if c.Say == "broken" {
				return nil, field.Errorf("say", field.CodeInvalid, "Say something else.")
			}
			return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
				return policy.Result{Verdict: policy.Pass, Messages: []string{c.Say}}, nil
			}), nil
		})}
}

// plainSeal shows in the stored text whether something was sealed.
type plainSeal struct{}

func (plainSeal) Seal(plain []byte, place string) []byte {
	return []byte(place + "|" + strings.ToUpper(string(plain)))
}

func (plainSeal) Open(sealed []byte, place string) ([]byte, error) {
	text, ok := strings.CutPrefix(string(sealed), place+"|")
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return []byte(strings.ToLower(text)), nil
}

func open(t testing.TB, db store.DB, change func(*catalog.Config)) *catalog.Catalog {
	t.Helper()
	cfg := catalog.Config{DB: db, Stages: stageTypes(), Policies: policyTypes(), Seal: plainSeal{}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Exists: func(_ context.Context, _ store.Querier, kind, id string) (bool, error) {
			return kind == "user" && id == "7", nil
		}}
	if change != nil {
		change(&cfg)
	}
	c, err := catalog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func update(t testing.TB, c *catalog.Catalog, fn func(tx *catalog.Tx) error) catalog.Revision {
	t.Helper()
	rev, err := c.Update(t.Context(), catalog.Meta{Actor: "test", Source: "test"}, func(_ context.Context, tx *catalog.Tx) error { return fn(tx) })
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func create(tx *catalog.Tx, kind, typ string, data map[string]any) (uuid.UUID, error) {
	o, _, err := tx.Create(kind, typ, uuid.Nil, data)
	if err != nil {
		return uuid.Nil, err
	}
	return o.ID, nil
}

func flowData(slug string) map[string]any {
	return map[string]any{"name": slug, "slug": slug, "title": slug, "designation": "authentication"}
}

// house is a catalog with a flow of two stages and a policy.
type house struct {
	flow, one, two, first, second, policy, bound uuid.UUID
}

func furnish(t testing.TB, c *catalog.Catalog) (h house) {
	t.Helper()
	update(t, c, func(tx *catalog.Tx) (err error) {
		h = house{}
		for _, step := range []struct {
			to        *uuid.UUID
			kind, typ string
			data      func() map[string]any
		}{
			{&h.flow, catalog.KindFlow, "", func() map[string]any { return flowData("login") }},
			{&h.one, catalog.KindStage, "gate", func() map[string]any { return map[string]any{"name": "one", "secret": "hush"} }},
			{&h.two, catalog.KindStage, "gate", func() map[string]any { return map[string]any{"name": "two", "inner": h.one, "flow": h.flow} }},
			{&h.first, catalog.KindBinding, "", func() map[string]any { return map[string]any{"target": h.flow, "stage": h.one, "order": 10} }},
			{&h.second, catalog.KindBinding, "", func() map[string]any { return map[string]any{"target": h.flow, "stage": h.two, "order": 10} }},
			{&h.policy, catalog.KindPolicy, "rule", func() map[string]any { return map[string]any{"name": "rule", "say": "hello"} }},
			{&h.bound, catalog.KindPolicyBinding, "", func() map[string]any {
				return map[string]any{"target": catalog.PolicyTargetID(h.first), "policy": h.policy, "order": 0}
			}},
		} {
			if *step.to, err = create(tx, step.kind, step.typ, step.data()); err != nil {
				return fmt.Errorf("%s: %w", step.kind, err)
			}
		}
		return nil
	})
	return h
}

func TestLookUps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := furnish(t, open(t, db, nil))
		s := open(t, db, nil).Snapshot() // what another node loads
		f, ok := s.FlowBySlug("login")
		if !ok || f.ID != h.flow || f.Layout != flow.Stacked {
			t.Fatalf("flow by slug: %+v", f)
		}
		var stages []uuid.UUID
		for _, b := range s.Bindings(h.flow) {
			stages = append(stages, b.Stage)
		}
		if diff := cmp.Diff([]uuid.UUID{h.one, h.two}, stages); diff != "" {
			t.Errorf("bindings of equal order stand in the order of creation (-want +got):\n%s", diff)
		}
		if st, ok := s.Stage(h.one); !ok || st.Stage == nil || st.Config.(*gateConfig).Secret != "hush" {
			t.Errorf("stage: %+v", st)
		}
		bound := s.PolicyBindings(h.first)
		if len(bound) != 1 || bound[0].Target != h.first {
			t.Fatalf("a policy binding that names the second id of its target is found by the first: %+v", bound)
		}
		if p, ok := s.Policy(*bound[0].Policy); !ok || p.Policy == nil {
			t.Errorf("policy: %+v", p)
		}
		if got := s.FlowsFor(flow.Authentication); len(got) != 1 || len(s.FlowsFor(flow.Recovery)) != 0 {
			t.Errorf("flows by designation: %v", got)
		}
	})
}

func TestBrandFor(t *testing.T) {
	c := open(t, storetest.SQLite(t), nil)
	update(t, c, func(tx *catalog.Tx) error {
		for _, data := range []map[string]any{{"domain": "example.com"}, {"domain": "login.example.com"}, {"domain": "weir-default", "default": true}} {
			if _, err := create(tx, catalog.KindBrand, "", data); err != nil {
				return err
			}
		}
		return nil
	})
	for host, want := range map[string]string{"login.example.com": "login.example.com", "a.LOGIN.example.com:443": "login.example.com", "example.com.": "example.com",
		"x.example.com": "example.com", "notexample.com": "weir-default", "": "weir-default", "[::1]:9000": "weir-default"} {
		if got := c.Snapshot().BrandFor(host).Domain; got != want {
			t.Errorf("brand for %q: %q, want %q", host, got, want)
		}
	}
	if got := open(t, storetest.SQLite(t), nil).Snapshot().BrandFor("x").Domain; got != "fallback" {
		t.Errorf("brand of an empty catalog: %q", got)
	}
}

func TestRefusals(t *testing.T) {
	c := open(t, storetest.SQLite(t), nil)
	h := furnish(t, c)
	nobody := uuid.New()
	rows := []struct {
		name      string
		kind, typ string
		data      map[string]any
		field     string
		code      string
	}{
		{"missing field", catalog.KindFlow, "", map[string]any{"name": "x"}, "slug", field.CodeRequired},
		{"taken slug", catalog.KindFlow, "", flowData("login"), "slug", field.CodeUnique},
		{"taken name, another type counts too", catalog.KindStage, "gate", map[string]any{"name": "one"}, "name", field.CodeUnique},
		{"taken set", catalog.KindBinding, "", map[string]any{"target": h.flow, "stage": h.one, "order": 10}, field.NonField, field.CodeUnique},
		{"stage that does not exist", catalog.KindBinding, "", map[string]any{"target": h.flow, "stage": nobody, "order": 1}, "stage", field.CodeDoesNotExist},
		{"id of another kind", catalog.KindBinding, "", map[string]any{"target": h.one, "stage": h.one, "order": 1}, "target", field.CodeDoesNotExist},
		{"policy target that is none", catalog.KindPolicyBinding, "", map[string]any{"target": h.one, "policy": h.policy, "order": 1}, "target", field.CodeDoesNotExist},
		{"user that does not exist", catalog.KindPolicyBinding, "", map[string]any{"target": h.flow, "user": 8, "order": 1}, "user", field.CodeDoesNotExist},
		{"two subjects", catalog.KindPolicyBinding, "", map[string]any{"target": h.flow, "user": 7, "policy": h.policy, "order": 1}, field.NonField, field.CodeInvalid},
		{"policies never evaluated", catalog.KindBinding, "", map[string]any{"target": h.flow, "stage": h.one, "order": 2, "re_evaluate_policies": false}, field.NonField, field.CodeInvalid},
		{"configuration that cannot be built", catalog.KindPolicy, "rule", map[string]any{"name": "b", "say": "broken"}, "say", field.CodeInvalid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := c.Snapshot()
			_, err := c.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
				_, err := create(tx, row.kind, row.typ, row.data)
				return err
			})
			var errs field.Errors
			if !errors.As(err, &errs) || len(errs[row.field]) == 0 || errs[row.field][0].Code != row.code {
				t.Fatalf("got %v, want %s on %s", err, row.code, row.field)
			}
			if c.Snapshot() != before {
				t.Error("a refused write made a snapshot")
			}
		})
	}
	t.Run("a second default brand", func(t *testing.T) {
		_, err := c.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
			if _, err := create(tx, catalog.KindBrand, "", map[string]any{"domain": "a", "default": true}); err != nil {
				return err
			}
			_, err := create(tx, catalog.KindBrand, "", map[string]any{"domain": "b", "default": true})
			return err
		})
		var errs field.Errors
		if !errors.As(err, &errs) || errs["default"] == nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeleting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		c := open(t, db, nil)
		h := furnish(t, c)
		rev := update(t, c, func(tx *catalog.Tx) error { return tx.Delete(h.one) })
		var got []string
		for _, ch := range rev.Changes {
			got = append(got, string(ch.Op)+" "+ch.Kind)
		}
		// The stage, its binding and what is bound to that go; the stage that
		// embeds it forgets it.
		if diff := cmp.Diff([]string{"- stage", "- binding", "- policybinding", "~ stage"}, sortedLike(got)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		for _, s := range []*catalog.Snapshot{c.Snapshot(), open(t, db, nil).Snapshot()} {
			two, ok := s.Stage(h.two)
			if !ok || two.Config.(*gateConfig).Inner != nil || two.Stage == nil {
				t.Errorf("the embedding stage: %+v", two)
			}
			if len(s.Bindings(h.flow)) != 1 || len(s.PolicyBindings(h.first)) != 0 {
				t.Error("something is left that refers to the deleted stage")
			}
		}
		var refs int
		if err := db.QueryRow(t.Context(), `select count(*) from catalog_refs where to_id = $1 or from_id = $1`, h.one).Scan(&refs); err != nil || refs != 0 {
			t.Errorf("%d references are left (%v)", refs, err)
		}
	})
}

// sortedLike puts deletions in the order of the test.
func sortedLike(got []string) []string {
	rank := []string{"- stage", "- binding", "- policybinding", "~ stage"}
	slices.SortStableFunc(got, func(a, b string) int { return slices.Index(rank, a) - slices.Index(rank, b) })
	return got
}

func TestDropReferencesToAUser(t *testing.T) {
	c := open(t, storetest.SQLite(t), nil)
	h := furnish(t, c)
	update(t, c, func(tx *catalog.Tx) error {
		_, err := create(tx, catalog.KindPolicyBinding, "", map[string]any{"target": h.flow, "user": 7, "order": 0})
		return err
	})
	if n := len(c.Snapshot().PolicyBindings(h.flow)); n != 1 {
		t.Fatalf("%d bindings", n)
	}
	update(t, c, func(tx *catalog.Tx) error { return tx.DropReferences("user", "7") })
	if n := len(c.Snapshot().PolicyBindings(h.flow)); n != 0 {
		t.Errorf("%d bindings of the deleted user are left", n)
	}
}

func TestPinnedVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		c := open(t, db, nil)
		h := furnish(t, c)
		old, _ := c.Snapshot().Stage(h.one)
		update(t, c, func(tx *catalog.Tx) error {
			_, _, err := tx.Patch(h.one, map[string]any{"words": []any{"new"}})
			return err
		})
		for _, node := range []*catalog.Catalog{c, open(t, db, nil)} {
			s := node.Snapshot()
			now, _ := s.Stage(h.one)
			pinned, err := s.PinnedStage(t.Context(), h.one, old.Version)
			if err != nil {
				t.Fatal(err)
			}
			if len(pinned.Config.(*gateConfig).Words) != 0 || len(now.Config.(*gateConfig).Words) != 1 || pinned.Stage == nil {
				t.Errorf("pinned %+v, now %+v", pinned.Config, now.Config)
			}
		}
		update(t, c, func(tx *catalog.Tx) error { return tx.Delete(h.one) })
		if _, err := c.Snapshot().PinnedStage(t.Context(), h.one, old.Version); err == nil {
			t.Error("a deleted stage is still to be had")
		}
		if _, err := c.Snapshot().PinnedBinding(t.Context(), h.first, 1); err == nil {
			t.Error("a deleted binding is still to be had")
		}
	})
}

// dump is everything that the catalog has stored.
func dump(t testing.TB, db store.DB) []string {
	t.Helper()
	var out []string
	for _, table := range []string{"catalog_head", "catalog_revisions", "catalog_versions", "catalog_refs"} {
		columns := map[string]string{"catalog_head": "revision", "catalog_revisions": "revision || actor || source || cast(summary as text)",
			"catalog_versions": "id || kind || type || revision || cast(doc as text) || cast(deleted as text) || cast(current as text)",
			"catalog_refs":     "from_id || field || to_kind || to_id"}[table]
		rows, err := store.Select(t.Context(), db, store.Column[string], "select cast("+columns+" as text) as line from "+table+" order by line")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rows...)
	}
	return out
}

func TestNothingIsHalfApplied(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		c := open(t, db, nil)
		h := furnish(t, c)
		before, snapshot := dump(t, db), c.Snapshot()
		boom := errors.New("boom")
		change := func(ctx context.Context, tx *catalog.Tx) error {
			if _, err := create(tx, catalog.KindFlow, "", flowData("another")); err != nil {
				return err
			}
			if _, err := tx.Store().Exec(ctx, `insert into groups (id, name, name_key, is_superuser, attributes, created, updated) values ($1, 'g', 'g', $2, '{}', $3, $3)`,
				uuid.New(), false, time.Now()); err != nil {
				return err
			}
			return tx.Delete(h.one)
		}
		_, err := c.Update(t.Context(), catalog.Meta{}, func(ctx context.Context, tx *catalog.Tx) error {
			return errors.Join(change(ctx, tx), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		rev, err := c.Update(t.Context(), catalog.Meta{DryRun: true}, change)
		if err != nil || len(rev.Changes) != 5 {
			t.Fatalf("dry run: %+v, %v", rev, err)
		}
		if diff := cmp.Diff(before, dump(t, db)); diff != "" {
			t.Errorf("stored rows (-before +after):\n%s", diff)
		}
		var groups int
		if err := db.QueryRow(t.Context(), `select count(*) from groups`).Scan(&groups); err != nil || groups != 0 {
			t.Errorf("%d rows of the same transaction are left (%v)", groups, err)
		}
		if c.Snapshot() != snapshot {
			t.Error("the snapshot has changed")
		}
		if rev := update(t, c, func(tx *catalog.Tx) error {
			_, _, err := tx.Patch(h.flow, map[string]any{"title": "login"})
			return err
		}); len(rev.Changes) != 0 || rev.Number != snapshot.Revision() {
			t.Errorf("a patch that changes nothing made revision %+v", rev)
		}
	})
}

func TestManyWritersOnTwoNodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		nodes := []*catalog.Catalog{open(t, db, nil), open(t, db, nil)}
		const writers, each = 8, 5
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					_, err := nodes[w%2].Update(t.Context(), catalog.Meta{Actor: "test"}, func(_ context.Context, tx *catalog.Tx) error {
						_, err := create(tx, catalog.KindFlow, "", flowData(fmt.Sprintf("flow-%d-%d", w, n)))
						return err
					})
					if err != nil {
						t.Errorf("writer %d: %v", w, err)
					}
				}
			})
		}
		wg.Wait()
		for i, node := range nodes {
			if err := node.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, rev := len(node.Snapshot().Objects(catalog.KindFlow)), node.Snapshot().Revision(); n != writers*each || rev != writers*each {
				t.Errorf("node %d has %d flows at revision %d, want %d", i, n, rev, writers*each)
			}
		}
	})
}

func TestPropagation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for name, poll := range map[string]time.Duration{"announced": time.Hour, "found by looking": 10 * time.Millisecond} {
			t.Run(name, func(t *testing.T) {
				writer := open(t, db, nil)
				reader := open(t, db, nil)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); reader.Watch(ctx, poll) }()
				slug := "flow-" + uuid.NewString()
				// Written until heard: listening begins in the background.
				deadline := time.After(30 * time.Second)
				for n := 0; ; n++ {
					update(t, writer, func(tx *catalog.Tx) error {
						_, err := create(tx, catalog.KindFlow, "", flowData(fmt.Sprintf("%s-%d", slug, n)))
						return err
					})
					if _, ok := reader.Snapshot().FlowBySlug(slug + "-0"); ok {
						break
					}
					select {
					case <-deadline:
						t.Fatal("the other node does not notice")
					case <-time.After(20 * time.Millisecond):
					}
				}
				stop()
				<-done
			})
		}
	})
}

// Objects that this program cannot use any more stay, and deny.
func TestUnusableObjectsFailClosed(t *testing.T) {
	db := storetest.SQLite(t)
	h := furnish(t, open(t, db, nil))
	s := open(t, db, func(c *catalog.Config) { c.Stages, c.Policies = nil, nil }).Snapshot()
	if st, ok := s.Stage(h.one); !ok || st.Err == nil || st.Stage != nil {
		t.Errorf("a stage of an unknown type: %+v", st)
	}
	if p, ok := s.Policy(h.policy); !ok || p.Err == nil || p.Policy != nil {
		t.Errorf("a policy of an unknown type: %+v", p)
	}
}

func TestRule45SecretsAreSealedAndNeverReadBack(t *testing.T) {
	db := storetest.SQLite(t)
	c := open(t, db, nil)
	h := furnish(t, c)
	o, _ := c.Snapshot().Get(h.one)
	for _, part := range c.Parts(o) {
		if v, ok := field.Encode(part, field.Public)["secret"]; ok {
			t.Errorf("the public form holds the secret %v", v)
		}
	}
	for _, line := range dump(t, db) {
		if strings.Contains(line, "hush") {
			t.Errorf("a secret is stored in clear: %s", line)
		}
	}
}

func TestFind(t *testing.T) {
	c := open(t, storetest.SQLite(t), nil)
	h := furnish(t, c)
	s := c.Snapshot()
	rows := []struct {
		name, kind, typ string
		match           map[string]any
		want            uuid.UUID
	}{
		{"by a field", catalog.KindFlow, "", map[string]any{"slug": "login"}, h.flow},
		{"by two fields", catalog.KindStage, "gate", map[string]any{"name": "two", "inner": h.one.String()}, h.two},
		{"by pk", catalog.KindFlow, "", map[string]any{"pk": h.flow.String()}, h.flow},
		{"by pk of another kind", catalog.KindStage, "", map[string]any{"pk": h.flow.String()}, uuid.Nil},
		{"without regard to case", catalog.KindFlow, "", map[string]any{"slug__iexact": "LOGIN"}, h.flow},
		{"by a beginning", catalog.KindStage, "", map[string]any{"name__startswith": "tw"}, h.two},
		{"through a reference", catalog.KindBinding, "", map[string]any{"target__slug": "login", "stage__name": "two"}, h.second},
		{"by an order given as text", catalog.KindBinding, "", map[string]any{"order": "10", "stage": h.one.String()}, h.first},
		{"a target by its second id", catalog.KindPolicyBinding, "", map[string]any{"target": catalog.PolicyTargetID(h.first).String()}, h.bound},
		{"null is null", catalog.KindStage, "gate", map[string]any{"inner": nil}, h.one},
		{"no match", catalog.KindFlow, "", map[string]any{"slug": "other"}, uuid.Nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o, err := s.Find(row.kind, row.typ, row.match)
			got := uuid.Nil
			if o != nil {
				got = o.ID
			}
			if err != nil || got != row.want {
				t.Errorf("found %s (%v), want %s", got, err, row.want)
			}
		})
	}
	if _, err := s.Find(catalog.KindFlow, "", map[string]any{"nonsense": 1}); !errors.Is(err, catalog.ErrField) {
		t.Errorf("an unknown field: %v", err)
	}
	if kind, typ, ok := c.ByModel("app_gate.GateStage"); !ok || kind != catalog.KindStage || typ != "gate" {
		t.Errorf("model in another case: %s %s %v", kind, typ, ok)
	}
	if _, _, ok := c.ByModel("APP_gate.gatestage"); ok {
		t.Error("app labels are case-sensitive")
	}
}

// BenchmarkWriteAmong10000 writes one object with 10,000 present.
func BenchmarkWriteAmong10000(b *testing.B) {
	c := open(b, storetest.SQLite(b), nil)
	update(b, c, func(tx *catalog.Tx) error {
		for i := range 10_000 {
			if _, err := create(tx, catalog.KindFlow, "", flowData(fmt.Sprintf("f%05d", i))); err != nil {
				return err
			}
		}
		return nil
	})
	n := 0
	for b.Loop() {
		n++
		update(b, c, func(tx *catalog.Tx) error {
			_, err := create(tx, catalog.KindFlow, "", flowData(fmt.Sprintf("new%d", n)))
			return err
		})
	}
}

// BenchmarkOpen10000 loads 10,000 policy bindings of one policy.
func BenchmarkOpen10000(b *testing.B) {
	db := storetest.SQLite(b)
	c := open(b, db, nil)
	h := furnish(b, c)
	update(b, c, func(tx *catalog.Tx) error {
		for i := range 10_000 {
			if _, err := create(tx, catalog.KindPolicyBinding, "", map[string]any{"target": h.second, "policy": h.policy, "order": i}); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		open(b, db, nil)
	}
}
