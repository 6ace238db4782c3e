package userwrite

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/policy"
)

// house keeps users in memory.
type house struct {
	w      *flowtest.World
	groups map[string][]uuid.UUID
	hashes map[string]string
	ended  []int64
}

func (h *house) HashPassword(_ context.Context, plain string) (string, error) {
	if plain == "" {
		return "", field.Errorf("password", field.CodeBlank, "Enter a password.")
	}
	return "hash of " + plain, nil
}

func (h *house) WriteUser(_ context.Context, _ flow.Tx, u identity.User, c directory.Change) (identity.User, error) {
	c.Edit(&u)
	for _, other := range h.w.People {
		if other.Username == u.Username && other.ID != u.ID {
			return u, &flow.Refusal{Message: "taken", Err: errors.New("taken")}
		}
	}
	if !u.Saved() {
		u.ID = int64(len(h.w.People) + 100)
	}
	h.w.People[u.ID] = identity.NewPerson(u, nil)
	h.groups[u.Username], h.hashes[u.Username] = c.Groups, c.Hash
	return u, nil
}

func (h *house) EndOthers(_ context.Context, _ flow.Tx, user int64, _ string) error {
	h.ended = append(h.ended, user)
	return nil
}

// made is a user as the tests compare it.
type made struct {
	Username, Name, Email, Path, Type string
	Active                            bool
	Attributes                        map[string]any
	Groups                            []uuid.UUID
	Hash                              string
}

func TestSituations(t *testing.T) {
	staff, chosen := uuid.New(), uuid.New()
	ann := identity.User{ID: 7, UUID: uuid.New(), Username: "ann", Name: "Ann", Active: true, Type: identity.Internal, Path: "users",
		Attributes: map[string]any{"foo": "scalar", "some": map[string]any{"kept": 1}}}
	rows := []struct {
		name   string
		change func(*Config)
		// context is what earlier stages left; pending puts ann there.
		context map[string]any
		pending bool
		want    *made
	}{
		{"a new account", func(c *Config) { c.CreateUsersGroup = &staff },
			map[string]any{"groups": []any{&flow.Ref{Kind: "group", ID: chosen}, &flow.Ref{Kind: "flow", ID: uuid.New()}, "text"},
				"prompt_data": map[string]any{"username": " max ", "name": "Max", "email": "max@example.com", "password": " p ", "component": "ak-stage-prompt"}}, false,
			&made{Username: "max", Name: "Max", Email: "max@example.com", Type: "external", Active: true, Attributes: map[string]any{}, Groups: []uuid.UUID{staff, chosen}, Hash: "hash of  p "}},
		{"an inactive one of another type in a folder", func(c *Config) {
			c.CreateUsersAsInactive, c.UserType, c.UserPathTemplate = true, identity.Internal, "people/new"
		}, map[string]any{"prompt_data": map[string]any{"username": "max"}}, false,
			&made{Username: "max", Type: "internal", Path: "people/new", Attributes: map[string]any{}}},
		{"folder and type of the context", nil, map[string]any{"user_path": "there", "user_type": "internal", "prompt_data": map[string]any{"username": "max"}}, false,
			&made{Username: "max", Type: "internal", Path: "there", Active: true, Attributes: map[string]any{}}},
		{"a type that is none", nil, map[string]any{"user_type": "emperor", "prompt_data": map[string]any{"username": "max"}}, false, &made{Username: "max", Type: "external", Active: true, Attributes: map[string]any{}}},
		{"no flow makes outposts", func(c *Config) { c.UserType = identity.InternalServiceAccount }, map[string]any{"prompt_data": map[string]any{"username": "max", "type": "internal_service_account"}},
			false, &made{Username: "max", Type: "service_account", Active: true, Attributes: map[string]any{}}},
		{"a change, also deep inside", nil, map[string]any{"prompt_data": map[string]any{"name": "Anna", "attributes.some.custom-attribute": "x", "attributes_more_deep": true, "unknown": 1, "groups": "x",
			"attribute_x": 1, "is_superuser": true, "pk": 9}}, true,
			&made{Username: "ann", Name: "Anna", Path: "users", Type: "internal", Active: true,
				Attributes: map[string]any{"foo": "scalar", "some": map[string]any{"kept": 1, "custom-attribute": "x"}, "more": map[string]any{"deep": true}}}},
		{"over a scalar, and into one", nil, map[string]any{"prompt_data": map[string]any{"attributes.foo": "new", "attributes.some.kept.deeper": 2}}, true,
			&made{Username: "ann", Name: "Ann", Path: "users", Type: "internal", Active: true, Attributes: map[string]any{"foo": "new", "some": map[string]any{"kept": map[string]any{"deeper": 2}}}}},
		{"attributes as a whole, then a part", nil, map[string]any{"prompt_data": map[string]any{"attributes": map[string]any{"foo": 1}, "attributes.bar": 2}}, true,
			&made{Username: "ann", Name: "Ann", Path: "users", Type: "internal", Active: true, Attributes: map[string]any{"foo": 1, "bar": 2, "some": map[string]any{"kept": 1}}}},
		{"activation is a field", nil, map[string]any{"prompt_data": map[string]any{"is_active": false}}, true,
			&made{Username: "ann", Name: "Ann", Path: "users", Type: "internal", Attributes: map[string]any{"foo": "scalar", "some": map[string]any{"kept": 1}}}},
		{"an empty form writes the same", nil, map[string]any{"prompt_data": map[string]any{}}, true,
			&made{Username: "ann", Name: "Ann", Path: "users", Type: "internal", Active: true, Attributes: map[string]any{"foo": "scalar", "some": map[string]any{"kept": 1}}}},
		{"always a new one", func(c *Config) { c.UserCreationMode = AlwaysCreate }, map[string]any{"prompt_data": map[string]any{"username": "max"}}, true,
			&made{Username: "max", Type: "external", Active: true, Attributes: map[string]any{}}},
		{"no form", nil, map[string]any{}, true, nil},
		{"no name", nil, map[string]any{"prompt_data": map[string]any{"username": "  "}}, false, nil},
		{"no name at all", nil, map[string]any{"prompt_data": map[string]any{"name": "Max"}}, false, nil},
		{"an empty password", nil, map[string]any{"prompt_data": map[string]any{"password": ""}}, true, nil},
		{"a taken name", nil, map[string]any{"prompt_data": map[string]any{"username": "bob"}}, true, nil},
		{"a new account with a taken name", nil, map[string]any{"prompt_data": map[string]any{"username": "bob"}}, false, nil},
		{"rule 16: never a new one", func(c *Config) { c.UserCreationMode = NeverCreate }, map[string]any{"prompt_data": map[string]any{"username": "max"}}, false, nil},
		{"rule 16: a name that was only typed is no account", func(c *Config) { c.UserCreationMode = NeverCreate },
			map[string]any{"pending_user": identity.NewPerson(identity.User{Username: "ghost"}, nil), "prompt_data": map[string]any{"password": "p"}}, false, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			h := &house{groups: map[string][]uuid.UUID{}, hashes: map[string]string{}}
			typ := Type(h, h)
			h.w = flowtest.New(t, typ)
			if row.pending {
				h.w.People[7] = identity.NewPerson(ann, nil)
				row.context["pending_user"] = h.w.People[7]
			}
			h.w.People.Add(identity.User{ID: 8, Username: "bob"})
			f := h.w.AddFlow("f", nil)
			h.w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
				return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: row.context}}, nil
			}), nil)
			config := typ.Defaults().(*Config)
			if row.change != nil {
				row.change(config)
			}
			h.w.Bind(f, h.w.AddStage("user_write", "write", config), nil)
			before := len(h.w.People)
			r := h.w.NewBrowser().Get(t, "f", "")
			if row.want == nil {
				if got := flowtest.Describe(r); !strings.HasPrefix(got, "denied") {
					t.Errorf("%s, want a denial", got)
				}
				if len(h.w.People) != before || len(h.hashes) > 0 {
					t.Errorf("something was written: %v", h.hashes)
				}
				return
			}
			if got := flowtest.Describe(r); got != "redirect / final" {
				t.Fatalf("%s", got)
			}
			var got *made
			for _, p := range h.w.People {
				if p.Username == row.want.Username {
					got = &made{p.Username, p.Name, p.Email, p.Path, string(p.Type), p.Active, p.Attributes, h.groups[p.Username], h.hashes[p.Username]}
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if row.pending && row.want.Username == "ann" && len(h.w.People) != before {
				t.Error("a second account was made")
			}
		})
	}
}
