package resource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

type data = map[string]any

type fixture struct {
	testing.TB
	*resource.Registry
	db      store.DB
	catalog *catalog.Catalog
	people  *directory.Directory
	tokens  *token.Tokens
	access  *access.Access
}

func newFixture(t testing.TB, db store.DB) *fixture {
	t.Helper()
	in := resourcetest.New(t, db)
	return &fixture{TB: t, Registry: in.Kinds, db: db, catalog: in.Catalog, people: in.People, tokens: in.Tokens, access: in.Access}
}

func (f *fixture) kind(model string) *resource.Kind {
	f.Helper()
	k, err := f.Kind(model)
	if err != nil {
		f.Fatal(err)
	}
	return k
}

// write runs fn in one transaction and returns its error.
func (f *fixture) write(fn func(ctx context.Context, w *resource.Write) error) error {
	return f.writeAs(nil, fn)
}

// writeAs does so for a person.
func (f *fixture) writeAs(p *identity.Person, fn func(ctx context.Context, w *resource.Write) error) error {
	by := catalog.Meta{Actor: "test", Person: p}
	_, err := f.catalog.Update(f.Context(), by, func(ctx context.Context, tx *catalog.Tx) error {
		return fn(ctx, &resource.Write{Tx: tx, By: by, Access: f.access})
	})
	return err
}

func (f *fixture) must(fn func(ctx context.Context, w *resource.Write) error) {
	f.Helper()
	if err := f.write(fn); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) create(model string, d data) *resource.Ref {
	f.Helper()
	var ref *resource.Ref
	f.must(func(ctx context.Context, w *resource.Write) (err error) {
		ref, _, err = f.kind(model).Create(ctx, w, "", d)
		return err
	})
	return ref
}

func (f *fixture) update(model string, ref *resource.Ref, d data) []string {
	f.Helper()
	var changed []string
	f.must(func(ctx context.Context, w *resource.Write) (err error) {
		changed, _, err = f.kind(model).Update(ctx, w, ref, d, field.Update)
		return err
	})
	return changed
}

func (f *fixture) read(model string, ref *resource.Ref) data {
	f.Helper()
	var out data
	f.must(func(ctx context.Context, w *resource.Write) (err error) {
		objects, err := f.kind(model).Read(ctx, w.View(), ref)
		if err == nil {
			out = objects[0]
		}
		return err
	})
	return out
}

const (
	userModel  = "authentik_core.user"
	groupModel = "authentik_core.group"
	tokenModel = "authentik_core.token"
)

func TestUnknownModelsSayWhy(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	for model, want := range map[string]string{
		"authentik_sources_ldap.ldapsource":         "the model authentik_sources_ldap.ldapsource belongs to sources, which Weir does not have",
		"authentik_core.PropertyMapping":            "authentik_core.PropertyMapping is only a base class; name the model itself",
		"authentik_providers_oauth2.oauth2provider": "the model authentik_providers_oauth2.oauth2provider belongs to providers, which Weir does not have",
		"authentik_outposts.outpost":                "the model authentik_outposts.outpost belongs to outposts, which Weir does not have",
		"authentik_flows.flwo":                      "the model authentik_flows.flwo is not known",
		"AUTHENTIK_flows.flow":                      "the model AUTHENTIK_flows.flow is not known",
		"authentik_flows.stage":                     "authentik_flows.stage is only a base class; name the model itself",
	} {
		if _, err := f.Kind(model); err == nil || err.Error() != want {
			t.Errorf("%s: %v", model, err)
		}
	}
	for _, model := range []string{"authentik_flows.Flow", "authentik_policies.PolicyBinding", "authentik_stages_password.PasswordStage", "authentik_core.User"} {
		if _, err := f.Kind(model); err != nil {
			t.Error(err)
		}
	}
}

func TestBaseClassesFindAllTypes(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	f.create("authentik_stages_deny.denystage", data{"name": "deny"})
	base, err := f.Base("authentik_flows.stage")
	if err != nil {
		t.Fatal(err)
	}
	f.must(func(ctx context.Context, w *resource.Write) error {
		ref, err := base.Find(ctx, w.View(), data{"name": "deny"})
		if err != nil || ref == nil || ref.Model != "authentik_stages_deny.denystage" || ref.PolicyTarget != "" {
			t.Errorf("got %+v, %v", ref, err)
		}
		other, err := f.kind("authentik_stages_password.passwordstage").Find(ctx, w.View(), data{"name": "deny"})
		if err != nil || other != nil {
			t.Errorf("another type finds %+v, %v", other, err)
		}
		if _, _, err := base.Create(ctx, w, "", data{"name": "x"}); err == nil {
			t.Error("a base class makes objects")
		}
		return nil
	})
}

func TestUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		staff := f.create(groupModel, data{"name": "staff"})
		ada := f.create(userModel, data{"username": "ada", "name": "Ada", "groups": []any{staff.Key}, "password": "correct horse",
			"attributes": data{"n": int64(1)}})
		steps := []struct {
			name string
			data data
			want []string
		}{
			{"the same again", data{"username": "ada", "name": "Ada", "groups": []any{staff.Key}, "attributes": data{"n": int64(1)}}, nil},
			{"the same password", data{"password": "correct horse"}, nil},
			{"no password", data{"password": nil}, nil},
			{"another password", data{"password": "battery staple"}, []string{"password"}},
			{"another name and no groups", data{"name": "A.", "groups": []any{}}, []string{"groups", "name"}},
			{"other attributes", data{"attributes": data{"n": 2}}, []string{"attributes"}},
			{"an unusable hash", data{"password_hash": "!x"}, []string{"password_hash"}},
			{"the same hash", data{"password_hash": "!x"}, nil},
		}
		for _, step := range steps {
			if got := f.update(userModel, ada, step.data); !slices.Equal(got, step.want) {
				t.Errorf("%s: changed %v, want %v", step.name, got, step.want)
			}
		}
		out := f.read(userModel, ada)
		if out["name"] != "A." || out["pk"] != ada.Key || len(out["groups"].([]any)) != 0 {
			t.Errorf("read %v", out)
		}
		for _, secret := range []string{"password", "password_hash"} {
			if _, shown := out[secret]; shown {
				t.Errorf("%s is shown", secret)
			}
		}
	})
}

func TestDataAtFault(t *testing.T) {
	nobody := uuid.NewString()
	tests := []struct {
		name, model string
		data        data
		field, code string
	}{
		{"a user without a name", userModel, data{"username": "x"}, "name", field.CodeRequired},
		{"a taken user name", userModel, data{"username": "TAKEN", "name": ""}, "username", field.CodeUnique},
		{"two passwords", userModel, data{"username": "x", "name": "", "password": "a", "password_hash": "!"}, field.NonField, field.CodeInvalid},
		{"an empty password", userModel, data{"username": "x", "name": "", "password": ""}, "password", field.CodeBlank},
		{"a hash of unknown format", userModel, data{"username": "x", "name": "", "password_hash": "secret"}, "password", field.CodeInvalid},
		{"a group that is not there", userModel, data{"username": "x", "name": "", "groups": []any{nobody}}, "groups", field.CodeDoesNotExist},
		{"a role that is not there", userModel, data{"username": "x", "name": "", "roles": []any{nobody}}, "roles", field.CodeDoesNotExist},
		{"a permission without its app", userModel, data{"username": "x", "name": "", "permissions": []any{"view_flow"}}, "permissions", field.CodeInvalid},
		{"a group without a name", groupModel, data{}, "name", field.CodeRequired},
		{"a taken group name", groupModel, data{"name": "Staff"}, "name", field.CodeUnique},
		{"a parent that is not there", groupModel, data{"name": "x", "parent": nobody}, "parents", field.CodeDoesNotExist},
		{"a member that is not there", groupModel, data{"name": "x", "users": []any{99}}, "users", field.CodeDoesNotExist},
		{"a token of nobody", tokenModel, data{"identifier": "x", "intent": "api", "user": 99}, "user", field.CodeDoesNotExist},
		{"a token without a user", tokenModel, data{"identifier": "x", "intent": "api"}, "user", field.CodeRequired},
		{"a token for recovery", tokenModel, data{"identifier": "x", "intent": "recovery", "user": 1}, "intent", field.CodeInvalid},
		{"a flow with a strange key", "authentik_flows.flow", data{"slug": "a b"}, "slug", field.CodeInvalid},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		f.create(userModel, data{"username": "taken", "name": ""})
		f.create(groupModel, data{"name": "staff"})
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				err := f.write(func(ctx context.Context, w *resource.Write) error {
					_, _, err := f.kind(tt.model).Create(ctx, w, "", tt.data)
					return err
				})
				var problems field.Errors
				if !errors.As(err, &problems) || len(problems[tt.field]) == 0 || problems[tt.field][0].Code != tt.code {
					t.Errorf("got %v", err)
				}
				if _, ok := resource.Fault(err); !ok {
					t.Error("the data is not blamed")
				}
			})
		}
	})
}

func TestLookUps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		ada := f.create(userModel, data{"username": "ada", "name": "Ada", "email": "ada@example.org", "attributes": data{"a": data{"b": []any{1, 2}}}})
		f.create(userModel, data{"username": "bob", "name": "Bob"})
		ci := f.create(tokenModel, data{"identifier": "ci", "intent": "api", "user": ada.Key})
		tests := []struct {
			model string
			match data
			want  any // the name, nil, or "!" for a fault
		}{
			{userModel, data{"username": "ada"}, "ada"},
			{userModel, data{"username": "Ada"}, nil},
			{userModel, data{"username__iexact": "ADA"}, "ada"},
			{userModel, data{"pk": ada.Key}, "ada"},
			{userModel, data{"pk": "no number"}, nil},
			{userModel, data{"attributes": data{"a": data{"b": []any{2}}}}, "ada"},
			{userModel, data{"attributes__contains": data{"a": data{}}}, "ada"},
			{userModel, data{"is_active": true}, "ada"},
			{userModel, data{"name": nil}, nil},
			{userModel, data{"password_hash": "!"}, "!"},
			{tokenModel, data{"identifier": "ci", "intent": "api"}, "ci"},
			{tokenModel, data{"identifier": "ci", "intent": "app_password"}, nil},
			{tokenModel, data{"pk": ci.Key}, "ci"},
			{tokenModel, data{"pk": uuid.NewString()}, nil},
			{tokenModel, data{"user": ada.Key}, "ci"},
			{tokenModel, data{"key": "x"}, "!"},
			{groupModel, data{"name__iexact": "nothing"}, nil},
			{groupModel, data{"colour": "red"}, "!"},
			{"authentik_flows.flow", data{"colour": "red"}, "!"},
		}
		for _, tt := range tests {
			f.must(func(ctx context.Context, w *resource.Write) error {
				ref, err := f.kind(tt.model).Find(ctx, w.View(), tt.match)
				var got any
				if ref != nil {
					got = ref.Name
				}
				if _, fault := resource.Fault(err); fault {
					got, err = "!", nil
				}
				if err != nil || got != tt.want {
					t.Errorf("%s %v: %v, %v", tt.model, tt.match, got, err)
				}
				return nil
			})
		}
	})
}

func TestDeletingPeopleEmptiesReferences(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		ada := f.create(userModel, data{"username": "ada", "name": ""})
		staff := f.create(groupModel, data{"name": "staff"})
		recovery := f.create("authentik_flows.flow", data{"name": "x", "slug": "x", "title": "x", "designation": "recovery"})
		for i, subject := range []data{{"user": ada.Key}, {"group": staff.Key}} {
			subject["target"], subject["order"] = recovery.Key, i
			f.create("authentik_policies.policybinding", subject)
		}
		f.must(func(ctx context.Context, w *resource.Write) error {
			return errors.Join(f.kind(userModel).Delete(ctx, w, ada), f.kind(groupModel).Delete(ctx, w, staff))
		})
		if left := f.catalog.Snapshot().Objects(catalog.KindPolicyBinding); len(left) != 0 {
			t.Errorf("%d bindings of the dead are left", len(left))
		}
	})
}

func TestToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		ada := f.create(userModel, data{"username": "ada", "name": ""})
		ci := f.create(tokenModel, data{"identifier": "ci", "intent": "api", "user": ada.Key, "key": "a-key-of-enough-bytes"})
		stored, err := f.tokens.ByKey(t.Context(), "a-key-of-enough-bytes", token.API)
		if err != nil || stored.Expires == nil || !stored.Expires.Equal(resourcetest.Noon.Add(24*time.Hour)) {
			t.Errorf("stored %+v, %v", stored, err)
		}
		for _, step := range []struct {
			data data
			want []string
		}{
			{data{"key": "a-key-of-enough-bytes", "identifier": "ci", "user": ada.Key}, nil},
			{data{"key": nil, "description": "for the build"}, []string{"description"}},
			{data{"key": "another-key-of-bytes"}, []string{"key"}},
		} {
			if got := f.update(tokenModel, ci, step.data); !slices.Equal(got, step.want) {
				t.Errorf("%v changed %v", step.data, got)
			}
		}
		if _, err := f.tokens.ByKey(t.Context(), "another-key-of-bytes", token.API); err != nil {
			t.Error(err)
		}
		err = f.write(func(ctx context.Context, w *resource.Write) error {
			_, _, err := f.kind(tokenModel).Update(ctx, w, ci, data{"user": 99}, field.Update)
			return err
		})
		if _, fault := resource.Fault(err); !fault {
			t.Errorf("the key changed hands: %v", err)
		}
		if _, shown := f.read(tokenModel, ci)["key"]; shown {
			t.Error("the key is shown")
		}
	})
}

func TestPermissionsAndRoles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		var role uuid.UUID
		f.must(func(ctx context.Context, w *resource.Write) (err error) {
			role, err = f.access.CreateRole(ctx, w.Store(), "readers")
			return err
		})
		recovery := f.create("authentik_flows.flow", data{"name": "x", "slug": "x", "title": "x", "designation": "recovery"})
		ada := f.create(userModel, data{"username": "ada", "name": "", "permissions": []any{"authentik_brands.view_brand"}})
		bob := f.create(userModel, data{"username": "bob", "name": "", "roles": []any{role.String()}})
		carol := f.create(userModel, data{"username": "carol", "name": ""})
		adaID := ada.Key.(int64)
		grants := resource.Grants{Access: f.access}
		f.must(func(ctx context.Context, w *resource.Write) error {
			for range 2 { // having it already is fine
				if err := grants.GrantObject(ctx, w, "view_flow", recovery.Model, fmt.Sprint(recovery.Key), &adaID, role.String()); err != nil {
					return err
				}
			}
			return nil
		})
		may := map[string]bool{}
		for name, ref := range map[string]*resource.Ref{"ada": ada, "bob": bob, "carol": carol} {
			p, err := f.people.Person(t.Context(), ref.Key.(int64))
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []struct {
				verb     access.Verb
				kind, id string
			}{{access.View, "flow", fmt.Sprint(recovery.Key)}, {access.View, "flow", ""}, {access.Change, "flow", fmt.Sprint(recovery.Key)}, {access.View, "brand", ""}} {
				ok, err := f.access.Can(t.Context(), p, q.verb, q.kind, q.id)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					may[fmt.Sprintf("%s %s %s %v", name, q.verb, q.kind, q.id != "")] = true
				}
			}
		}
		if diff := cmp.Diff(map[string]bool{"ada view flow true": true, "bob view flow true": true, "ada view brand false": true}, may); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		// The role that holds one user's grants is not one of their roles, and
		// setting the roles leaves it alone.
		if roles := f.read(userModel, ada)["roles"].([]any); len(roles) != 0 {
			t.Errorf("roles %v", roles)
		}
		f.update(userModel, bob, data{"roles": []any{}})
		if roles := f.read(userModel, bob)["roles"].([]any); len(roles) != 0 {
			t.Errorf("roles %v", roles)
		}
		missing := int64(99)
		for _, bad := range []struct {
			permission string
			user       *int64
			role       string
			want       string
		}{{"view_brand", &adaID, "", "Name a permission of this model"}, {"view_flow", &missing, "", "There is no user 99"},
			{"view_flow", nil, uuid.NewString(), "Choose roles that exist"}, {"view_flow", nil, "readers", "Give the role by its key"}} {
			err := f.write(func(ctx context.Context, w *resource.Write) error {
				return grants.GrantObject(ctx, w, bad.permission, recovery.Model, fmt.Sprint(recovery.Key), bad.user, bad.role)
			})
			if message, fault := resource.Fault(err); !fault || !strings.Contains(message, bad.want) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
