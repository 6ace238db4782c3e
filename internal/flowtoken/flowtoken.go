// Package flowtoken stores plans that people come back to by a link: on another
// device, or from a mail.
package flowtoken

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

// Purpose is what a token was made for. It is bound to the token: a link made for
// one purpose does nothing else (rule 15).
type Purpose string

const (
	// Recovery is a link that an administrator makes for somebody. It ends when
	// the password is changed in another way.
	Recovery Purpose = "recovery"
	// Setup is a link by which the first administrator chooses a password. All
	// of them end when one is used (rule 17).
	Setup Purpose = "setup"
)

// Mail is the purpose of links that a stage sends: they lead back to that stage
// alone.
func Mail(stage uuid.UUID) Purpose { return Purpose("mail " + stage.String()) }

// keyLength is the number of characters of a key: 384 random bits.
const keyLength = 64

// Tokens keeps flow tokens. Keys are stored as hashes, plans sealed.
type Tokens struct {
	DB  store.DB
	Box *seal.Box
	// Now is the clock.
	Now func() time.Time
	// SetupOpen tells whether the initial set-up is still to be done, and
	// CloseSetup that it has been; false if it was before.
	SetupOpen  func(ctx context.Context) (bool, error)
	CloseSetup func(ctx context.Context, tx store.Tx) (bool, error)
}

// New is a token to be made.
type New struct {
	// Identifier is its name. A token of the same name gives way.
	Identifier string
	Purpose    Purpose
	// User is whom it is for, the pending user of the plan.
	User    int64
	Plan    *flow.Plan
	Expires time.Time
}

// ForRecovery is a link for somebody who cannot sign in, planned as their recovery
// flow. There is one at a time for each person.
func ForRecovery(p *identity.Person, plan *flow.Plan, expires time.Time) New {
	return New{Identifier: "recovery-" + p.UUID.String(), Purpose: Recovery, User: p.ID, Plan: plan, Expires: expires}
}

// ForSetup is a link for the first administrator. Each holds beside the others,
// so that nodes that start together each show one that works.
func ForSetup(p *identity.Person, plan *flow.Plan, expires time.Time) New {
	return New{Identifier: "setup-" + uuid.NewString(), Purpose: Setup, User: p.ID, Plan: plan, Expires: expires}
}

// NewKey makes the key of a token, which is in the link and nowhere else.
func NewKey() string { return token.NewKey(keyLength) }

// Put stores a token.
func (t *Tokens) Put(ctx context.Context, tx store.Tx, key string, n New) error {
	return t.put(ctx, tx, key, n, n.User)
}

// Pretend does what Put does, and stores nothing: for links that nobody is sent, so
// that they take as long (rule 18).
func (t *Tokens) Pretend(ctx context.Context, tx store.Tx, key string, n New) error {
	return t.put(ctx, tx, key, n, 0)
}

// put stores a token if there is the user.
func (t *Tokens) put(ctx context.Context, tx store.Tx, key string, n New, user int64) error {
	plain, err := json.Marshal(n.Plan)
	if err != nil {
		return fmt.Errorf("make flow token: %w", err)
	}
	if _, err := tx.Exec(ctx, "delete from flow_tokens where identifier = $1", n.Identifier); err != nil {
		return fmt.Errorf("make flow token: %w", err)
	}
	id := uuid.New()
	sealed := t.Box.Seal(plain, place(id, n.Purpose, n.User, n.Plan.FlowID))
	_, err = tx.Exec(ctx, `insert into flow_tokens (id, identifier, key_hash, purpose, user_id, flow_id, plan, created, expires)
		select $1, $2, $3, $4, id, $6, $7, $8, $9 from users where id = $5`,
		id, n.Identifier, hash(key), string(n.Purpose), user, n.Plan.FlowID, sealed, t.Now().UTC(), n.Expires.UTC())
	if err != nil {
		return fmt.Errorf("make flow token: %w", err)
	}
	return nil
}

// place binds a sealed plan to its token, and with it whom and what it is for: a row
// that was changed in the database does not open.
func place(id uuid.UUID, p Purpose, user int64, flowID uuid.UUID) string {
	return fmt.Sprintf("flow token %s for %s of user %d in flow %s", id, p, user, flowID)
}

// hash is what a key is found by. Keys are random, so a plain hash suffices.
func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

type row struct {
	id      uuid.UUID
	purpose Purpose
	user    int64
	flow    uuid.UUID
	plan    []byte
}

func scan(r store.Row) (out row, err error) {
	err = r.Scan(&out.id, &out.purpose, &out.user, &out.flow, &out.plan)
	return out, err
}

// holds are the conditions under which a token does: the clock decides, not whether
// somebody has cleaned up (rule 14), and a password that was set since ends it.
const holds = "expires > $2 and not exists (select 1 from users u where u.id = flow_tokens.user_id and u.password_changed_at > flow_tokens.created)"

// Restore implements flow.Config.Restore.
func (t *Tokens) Restore(ctx context.Context, key string) (*flow.Restored, error) {
	found, err := store.Select(ctx, t.DB, scan, "select id, purpose, user_id, flow_id, plan from flow_tokens where key_hash = $1 and "+holds, hash(key), t.Now().UTC())
	if err != nil || len(found) == 0 {
		return nil, err
	}
	f := found[0]
	if f.purpose == SignIn {
		return nil, nil // leads into no flow
	}
	if f.purpose == Setup {
		if open, err := t.SetupOpen(ctx); err != nil || !open {
			return nil, err
		}
	}
	plain, err := t.Box.Open(f.plan, place(f.id, f.purpose, f.user, f.flow))
	if err != nil {
		return nil, fmt.Errorf("open plan of flow token %s: %w", f.id, err)
	}
	plan := &flow.Plan{}
	if err := json.Unmarshal(plain, plan); err != nil {
		return nil, fmt.Errorf("read plan of flow token %s: %w", f.id, err)
	}
	return &flow.Restored{ID: f.id, User: f.user, Purpose: string(f.purpose), Plan: plan}, nil
}

var errUsed = errors.New("the flow token was used or has ended")

// Consume uses a token up in the transaction of a step. One that somebody else has
// used since is a *flow.Refusal, so that one link leads to one success (rule 13).
func (t *Tokens) Consume(ctx context.Context, tx flow.Tx, id uuid.UUID) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("use flow token %s: %T is no store transaction", id, tx)
	}
	used, err := store.Select(ctx, w, store.Column[Purpose], "delete from flow_tokens where id = $1 and "+holds+" returning purpose", id, t.Now().UTC())
	valid := err == nil && len(used) > 0
	if valid && used[0] == Setup {
		valid, err = t.CloseSetup(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("use flow token %s: %w", id, err)
	}
	if !valid {
		return &flow.Refusal{Message: "This link has been used or is no longer valid. Ask for a new one.", Err: fmt.Errorf("flow token %s: %w", id, errUsed)}
	}
	return nil
}
