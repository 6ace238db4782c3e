// Package resourcetest makes the kinds of an installation for tests: everything
// below the API and the importer, over an empty database.
package resourcetest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies"
	"github.com/weir-id/weir/internal/reputation"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Noon is the time in the installation.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Installation is what the kinds are made of.
type Installation struct {
	DB       store.DB
	Stages   []flow.StageType
	Policies []policy.Type
	Catalog  *catalog.Catalog
	People   *directory.Directory
	Hasher   *password.Hasher
	Tokens   *token.Tokens
	Devices  *authenticator.Devices
	Access   *access.Access
	Kinds    *resource.Registry
	Log      *slog.Logger
	Now      func() time.Time
}

// New makes an installation with all stage and policy types, and those of the
// test. Hashing costs as little as it may; texts of blueprints are taken as they
// come.
func New(t testing.TB, db store.DB, more ...flow.StageType) *Installation {
	t.Helper()
	keys, err := seal.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	in := &Installation{DB: db, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return Noon }}
	in.Hasher, err = password.NewHasher(password.Params{MemoryKiB: 7 * 1024, Passes: 1, Lanes: 1}, password.NewQueue(password.QueueConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	in.Tokens, in.Access = token.New(db, keys.Box("token"), in.Now), access.New(db, resource.Owners(stages.Kinds(nil, nil)))
	in.People = directory.New(directory.Config{DB: db, Hasher: in.Hasher, AppPasswords: in.Tokens, Now: in.Now, Logger: in.Log})
	scores := reputation.New(reputation.Config{DB: db, Limits: func() (lower, upper int64) { return -5, 5 }, Now: in.Now})
	in.Devices = &authenticator.Devices{DB: db, Box: keys.Box("authenticator"), Now: in.Now}
	in.Stages = append(stages.All(stages.Env{Devices: in.Devices, Kinds: stages.Kinds(nil, nil), Users: in.People, Reputation: scores, Accounts: in.People, Sealer: keys.Box("device")}), more...)
	compiler := expression.NewCompiler(expression.Env{})
	in.Policies = policies.All(policies.Env{Scores: scores, Compiler: compiler})
	events := &event.Recorder{Now: in.Now}
	in.Catalog, err = catalog.Open(t.Context(), catalog.Config{DB: db, Stages: in.Stages, Policies: in.Policies, Compile: compiler.Check, Seal: keys.Box("catalog"), Exists: in.People.Exists,
		Record: resource.RecordChanges(events, func() *catalog.Catalog { return in.Catalog }), Logger: in.Log, Now: in.Now})
	if err != nil {
		t.Fatal(err)
	}
	in.Kinds = resource.New(resource.Config{Devices: in.Devices, DeviceKinds: stages.Kinds(nil, nil), Catalog: in.Catalog, Stages: in.Stages, Policies: in.Policies, Directory: in.People, Hasher: in.Hasher,
		Tokens: in.Tokens, Access: in.Access, Events: events, Blueprint: func(string, string) error { return nil }, Now: in.Now})
	return in
}
