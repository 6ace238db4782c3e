// Package userwrite holds the stage that makes an account, or changes one, with
// what forms have collected as prompt_data.
package userwrite

import (
	"context"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
)

// Accounts stores users.
type Accounts interface {
	// HashPassword makes the stored form of a password; a password that cannot
	// be is a field.Errors.
	HashPassword(ctx context.Context, plain string) (string, error)
	// WriteUser changes or creates a user in the transaction of the step.
	WriteUser(ctx context.Context, tx flow.Tx, u identity.User, c directory.Change) (identity.User, error)
}

// Sessions ends sessions.
type Sessions interface {
	// EndOthers ends the sessions of a user but the one with the key.
	EndOthers(ctx context.Context, tx flow.Tx, user int64, key string) error
}

// CreationMode says whether the stage may make accounts.
type CreationMode string

// The modes on the wire.
const (
	NeverCreate        CreationMode = "never_create"
	CreateWhenRequired CreationMode = "create_when_required"
	AlwaysCreate       CreationMode = "always_create"
)

// Choices lists the modes.
func (CreationMode) Choices() []string {
	return []string{string(NeverCreate), string(CreateWhenRequired), string(AlwaysCreate)}
}

// Config is the configuration of a user write stage.
type Config struct {
	UserCreationMode CreationMode `json:"user_creation_mode"`
	// CreateUsersAsInactive keeps new accounts from signing in until somebody
	// activates them.
	CreateUsersAsInactive bool `json:"create_users_as_inactive"`
	// CreateUsersGroup is the group that everybody is put into whom the stage
	// writes.
	CreateUsersGroup *uuid.UUID `json:"create_users_group" field:"null,ref=group,grants"`
	// UserType is that of new accounts.
	UserType identity.UserType `json:"user_type"`
	// UserPathTemplate is the folder of new accounts, as it is; empty for
	// "users".
	UserPathTemplate string `json:"user_path_template" field:"blank,max=1024"`
}

// effects: a stage that makes no accounts needs one to change.
func effects(c Config) flow.Effects {
	e := flow.Effects{Needs: []flow.Fact{flow.FactData}, Always: []flow.Fact{flow.FactUser}, Supplies: []flow.Fact{flow.FactWritten}}
	if c.UserCreationMode == NeverCreate {
		e.Needs = append(e.Needs, flow.FactPerson)
	}
	return e
}

// Type returns the stage type.
func Type(accounts Accounts, sessions Sessions) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "user_write",
		Path:        "user_write",
		Model:       "authentik_stages_user_write.userwritestage",
		Component:   "ak-stage-user-write-form",
		Label:       "User Write Stage",
		Description: "Makes an account, or changes one, with what forms have collected.",
		Filters:     []string{"create_users_as_inactive", "create_users_group", "stage_uuid", "user_creation_mode", "user_path_template", "user_type"},
	}, func() Config {
		return Config{UserCreationMode: CreateWhenRequired, UserType: identity.External}
	}, effects,
		func(_ string, c Config) flow.Stage {
			s := &stage{c, accounts, sessions}
			return flow.Plain(s.write)
		})
}
