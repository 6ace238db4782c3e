package resource_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// trail stores an event for each of the documents, the first one a minute
// before noon, each next one a minute earlier.
func (f *fixture) trail(list ...event.Recorded) {
	f.Helper()
	for i := range list {
		at := resourcetest.Noon.Add(-time.Duration(i+1) * time.Minute)
		r := event.Recorder{Now: func() time.Time { return at }}
		if err := f.write(func(ctx context.Context, w *resource.Write) error { return r.Add(ctx, w.Store(), &list[i], event.By{}) }); err != nil {
			f.Fatal(err)
		}
	}
}

// apps lists the apps of a page of events.
func (f *fixture) apps(q *resource.Query) (apps string, total int) {
	f.Helper()
	if q.Page == 0 {
		q.Page = 1
	}
	if q.Size == 0 {
		q.Size = 100
	}
	q.Scope = access.Scope{All: true}
	v := resource.View{DB: f.db, Dialect: f.db.Dialect(), Config: f.catalog.Snapshot()}
	refs, total, err := f.Model("authentik_events.event").List(f.Context(), v, q)
	if err != nil {
		f.Fatal(err)
	}
	read, err := f.Model("authentik_events.event").Read(f.Context(), v, refs...)
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for _, e := range read {
		out = append(out, e["app"].(string))
	}
	return strings.Join(out, " "), total
}

func TestEventsAreFoundAlikeOnBothDatabases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		const id = "11111111-2222-3333-4444-555555555555"
		user := func(pk int64, name string) data {
			return data{"pk": pk, "username": name, "email": name + "@example.org"}
		}
		f.trail(
			event.Recorded{Action: event.Login, App: "a", User: user(7, "ann"), ClientIP: "192.0.2.1", Brand: data{"name": "Brand x"}},
			event.Recorded{Action: event.LoginFailed, App: "b", User: data{"pk": nil, "username": "AnonymousUser"}, Context: data{"username": "nobody"}},
			event.Recorded{Action: event.ModelUpdated, App: "c", User: user(8, "bob"), Context: data{"model": event.Model{App: "authentik_flows", Model: "flow", PK: id, Name: "f"}}},
			event.Recorded{Action: "custom_thing", App: "d", User: user(7, "ann"), Context: data{"device": event.Model{PK: id}, "note": "Größe 100%"}},
			event.Recorded{Action: event.AuthorizeApplication, App: "e", User: user(7, "ann"), Context: data{"authorized_application": event.Model{PK: id, Name: "Wiki"}}},
		)
		list := func(names ...string) []any {
			var out []any
			for _, name := range names {
				out = append(out, name)
			}
			return out
		}
		rows := []struct {
			name    string
			filters data
			terms   []string
			order   []resource.Order
			want    string
		}{
			{"all, the latest first", nil, nil, nil, "a b c d e"},
			{"the earliest first", nil, nil, []resource.Order{{Field: "created"}}, "e d c b a"},
			{"by another field", nil, nil, []resource.Order{{Field: "action"}, {Field: "created"}}, "e d a b c"},
			{"a part of the action", data{"action": "LOGIN"}, nil, nil, "a b"},
			{"a part of a custom action", data{"action": "thin"}, nil, nil, "d"},
			{"no such action", data{"action": "nothing"}, nil, nil, ""},
			{"several actions", data{"actions": list("model_updated", "login")}, nil, nil, "a c"},
			{"several actions, the earliest first", data{"actions": list("model_updated", "login")}, nil, []resource.Order{{Field: "created"}}, "c a"},
			{"several actions and a part of them", data{"actions": list("model_updated", "login"), "action": "log"}, nil, nil, "a"},
			{"the user", data{"username": "ann"}, nil, nil, "a d e"},
			{"a name without an account", data{"username": "nobody"}, nil, nil, "b"},
			{"the address", data{"client_ip": "::ffff:192.0.2.1"}, nil, nil, "a"},
			{"the brand", data{"brand_name": "Brand x"}, nil, nil, "a"},
			{"the app of the model", data{"context_model_app": "authentik_flows"}, nil, nil, "c"},
			{"the model", data{"context_model_name": "flow"}, nil, nil, "c"},
			{"the key of the model, as the API has it", data{"context_model_pk": id}, nil, nil, "c"},
			{"the key of the model, as events have it", data{"context_model_pk": strings.ReplaceAll(id, "-", "")}, nil, nil, "c"},
			{"the application", data{"context_authorized_app": id}, nil, nil, "e"},
			{"the device", data{"context_device": id}, nil, nil, "d"},
			{"older ones", data{"created__lt": resourcetest.Noon.Add(-3 * time.Minute)}, nil, nil, "d e"},
			{"later ones", data{"created__gt": resourcetest.Noon.Add(-3 * time.Minute)}, nil, nil, "a b"},
			{"a word", nil, []string{"größe 100%"}, nil, "d"},
			{"a word that is a pattern elsewhere", nil, []string{"1_0%"}, nil, ""},
			{"two words, in whatever fields", nil, []string{"ann", "wiki"}, nil, "e"},
			{"a word among those chosen", data{"username": "ann"}, []string{"example"}, []resource.Order{{Field: "app", Desc: true}}, "e d a"},
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				want := len(strings.Fields(row.want))
				got, total := f.apps(&resource.Query{Filters: maps.Clone(row.filters), Terms: row.terms, Order: row.order})
				if got != row.want || total != want {
					t.Fatalf("got %q of %d, want %q", got, total, row.want)
				}
				for page := 1; page <= want; page++ {
					got, total := f.apps(&resource.Query{Filters: maps.Clone(row.filters), Terms: row.terms, Order: row.order, Page: page, Size: 1})
					if got != strings.Fields(row.want)[page-1] || total != want {
						t.Errorf("page %d: got %q of %d", page, got, total)
					}
				}
			})
		}
	})
}

func TestEventsAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		ann, bob := data{"pk": int64(7), "username": "ann"}, data{"pk": int64(8), "username": "bob"}
		wiki := data{"authorized_application": event.Model{PK: "1", Name: "Wiki"}}
		add := func(before time.Duration, action event.Action, user, details data) {
			r := event.Recorder{Now: func() time.Time { return resourcetest.Noon.Add(-before) }}
			e := event.Recorded{Action: action, App: "x", User: user, Context: details}
			if err := f.write(func(ctx context.Context, w *resource.Write) error { return r.Add(ctx, w.Store(), &e, event.By{}) }); err != nil {
				t.Fatal(err)
			}
		}
		add(time.Minute, event.Login, ann, nil)
		add(2*time.Minute, event.Login, bob, nil)
		add(7*time.Hour, event.Login, ann, nil)
		add(8*24*time.Hour, event.Login, bob, nil)
		add(2*time.Minute, event.AuthorizeApplication, ann, wiki)
		add(3*time.Minute, event.AuthorizeApplication, ann, wiki)
		add(2*resource.EventHistory, event.AuthorizeApplication, bob, wiki)
		v, q := resource.View{DB: db, Dialect: db.Dialect()}, func(filters data) *resource.Query {
			return &resource.Query{Filters: filters, Scope: access.Scope{All: true}}
		}
		volume, err := f.EventVolume(t.Context(), v, q(data{"action": "login"}), 7*24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		morning := resourcetest.Noon.Add(-6 * time.Hour)
		want := []resource.Volume{{Action: "login", Time: resourcetest.Noon.Add(-12 * time.Hour), Count: 1}, {Action: "login", Time: morning, Count: 2}}
		if diff := cmp.Diff(want, volume); diff != "" {
			t.Error(diff)
		}
		counts, users, err := f.EventCounts(t.Context(), v, q(data{"username": "ann"}), []time.Duration{time.Hour, 24 * time.Hour})
		if err != nil || fmt.Sprint(counts) != "[3 4]" || users != 1 {
			t.Errorf("counts %v of %d users, %v", counts, users, err)
		}
		top, err := f.TopApplications(t.Context(), v, q(nil), 5)
		if err != nil || len(top) != 1 || top[0].Events != 2 || top[0].Users != 1 || top[0].Application["name"] != "Wiki" {
			t.Errorf("applications %+v, %v", top, err)
		}
	})
}

// statements keeps the queries that go through it.
type statements struct {
	store.Querier
	sql  []string
	args [][]any
}

func (s *statements) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	s.sql, s.args = append(s.sql, sql), append(s.args, args)
	return s.Querier.QueryRow(ctx, sql, args...)
}

func (s *statements) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	s.sql, s.args = append(s.sql, sql), append(s.args, args)
	return s.Querier.Query(ctx, sql, args...)
}

// readsInOrder is a step of a plan that reads the events along an index of the
// filters or of time, or one event by its key.
var readsInOrder = regexp.MustCompile(`^(SEARCH|SCAN) (e|events) USING (COVERING )?INDEX (events_(created|action|client_ip|username|brand_name|model_app|model_name|model_pk|authorized_app|device)_idx|sqlite_autoindex_events_1)`)

// No list reads or sorts all events, however many there are: the plan of each
// query goes along an index until it has enough.
func TestListsOfEventsGoAlongAnIndex(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	f.trail(event.Recorded{Action: event.Login, App: "a", User: data{"pk": int64(7), "username": "ann"}, ClientIP: "192.0.2.1", Brand: data{"name": "b"},
		Context: data{"model": event.Model{App: "x", Model: "y", PK: "1"}, "device": event.Model{PK: "1"}, "authorized_application": event.Model{PK: "1"}}})
	rows := map[string]data{
		"all": nil, "action": {"action": "login"}, "actions": {"actions": []any{"login", "logout"}}, "username": {"username": "ann"},
		"client_ip": {"client_ip": "192.0.2.1"}, "brand_name": {"brand_name": "b"}, "model app": {"context_model_app": "x"}, "model": {"context_model_name": "y"},
		"model pk": {"context_model_pk": "1"}, "application": {"context_authorized_app": "1"}, "device": {"context_device": "1"},
		"older": {"created__lt": resourcetest.Noon},
	}
	for name, filters := range rows {
		for _, terms := range [][]string{nil, {"a"}} {
			t.Run(fmt.Sprint(name, terms), func(t *testing.T) {
				seen := &statements{Querier: f.db}
				v := resource.View{DB: seen, Dialect: store.SQLite, Config: f.catalog.Snapshot()}
				q := &resource.Query{Page: 1, Size: 20, Filters: filters, Terms: terms, Scope: access.Scope{All: true}}
				if _, total, err := f.Model("authentik_events.event").List(t.Context(), v, q); err != nil || total != 1 {
					t.Fatal(total, err)
				}
				for i, sql := range seen.sql {
					checkPlan(t, f.db, sql, seen.args[i])
				}
			})
		}
	}
}

func checkPlan(t *testing.T, db store.DB, sql string, args []any) {
	type step struct {
		parent int
		what   string
	}
	steps, err := store.Select(t.Context(), db, func(row store.Row) (step, error) {
		var s step
		var id, unused int
		err := row.Scan(&id, &s.parent, &unused, &s.what)
		return s, err
	}, "explain query plan "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	sorted := map[int]bool{}
	for _, s := range steps {
		fmt.Fprintln(&plan, s.what)
		sorted[s.parent] = sorted[s.parent] || strings.Contains(s.what, "TEMP B-TREE")
	}
	for _, s := range steps {
		touches := strings.HasPrefix(s.what, "SCAN e") || strings.HasPrefix(s.what, "SEARCH e")
		if touches && !readsInOrder.MatchString(s.what) {
			t.Errorf("%s\nreads %s:\n%s", sql, s.what, plan.String())
		}
		if touches && strings.Contains(s.what, "INDEX events_") && sorted[s.parent] {
			t.Errorf("%s\nsorts what it has read:\n%s", sql, plan.String())
		}
	}
}
