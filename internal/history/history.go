// Package history tells what has become of the configuration: which revisions
// there were, what differs between two of them, and it goes back to one. It
// also compares configurations that are only thought of, such as what a
// blueprint would make.
//
// Secrets are compared and never shown (rule 45). Who may ask is up to the
// callers; whoever may go back may do everything (rule 46).
package history

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
)

// ErrNoObject means that no object has a name, and none had it.
var ErrNoObject = errors.New("no object has or had this name")

// History reads and undoes. It is safe for concurrent use.
type History struct {
	Catalog *catalog.Catalog
	DB      store.DB
	// Name names a user or a group, empty for one that is gone. Nil names
	// nobody.
	Name func(ctx context.Context, q store.Querier, kind, id string) string
	// Check refuses a configuration that no longer fits the program it is for.
	// Nil refuses none.
	Check func(s *catalog.Snapshot) error
}

// Revision is a revision that was made.
type Revision struct {
	Number  int64     `json:"revision" field:"required"`
	Created time.Time `json:"created" field:"required"`
	// ActorPK is the user who wrote, null for the command and the program.
	ActorPK *int64 `json:"actor_pk" field:"required,null"`
	Actor   string `json:"actor" field:"required"`
	// Source is where the change came from: "api", "file login.yaml".
	Source  string           `json:"source" field:"required"`
	Changes []RevisionChange `json:"changes" field:"required"`
}

// RevisionChange is an object that a revision changed.
type RevisionChange struct {
	Op    catalog.Op `json:"op" field:"required"`
	Kind  string     `json:"kind" field:"required"`
	Model string     `json:"model" field:"required"`
	PK    string     `json:"pk" field:"required"`
	// Name is the natural name that the object had afterwards.
	Name string `json:"name" field:"required"`
	// Fields are the names of the fields that were changed.
	Fields []string `json:"fields" field:"required"`
}

// Revisions lists revisions, the newest first, and how many agree.
func (h *History) Revisions(ctx context.Context, s catalog.Search, offset, limit int) ([]Revision, int, error) {
	past, total, err := h.Catalog.Revisions(ctx, s, offset, limit)
	out := make([]Revision, len(past))
	for i := range past {
		p := &past[i]
		out[i] = Revision{Number: p.Number, Created: p.Created, ActorPK: p.ActorID, Actor: p.Actor, Source: p.Source, Changes: []RevisionChange{}}
		for _, c := range p.Changes {
			out[i].Changes = append(out[i].Changes, RevisionChange{Op: c.Op, Kind: c.Kind, Model: h.Catalog.Model(c.Kind, c.Type), PK: c.ID.String(),
				Name: c.Kind + ":" + c.Name, Fields: append([]string{}, c.Fields...)})
		}
	}
	return out, total, err
}

// Revision is one revision. The error wraps catalog.ErrNoRevision when there is
// none of that number, or not any more.
func (h *History) Revision(ctx context.Context, number int64) (*Revision, error) {
	found, _, err := h.Revisions(ctx, catalog.Search{Number: number}, 0, 1)
	if err == nil && (len(found) == 0 || number == 0) {
		err = fmt.Errorf("revision %d: %w", number, catalog.ErrNoRevision)
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

// Between tells what differs between two revisions, of all objects or of one; to
// is the newest revision when it is 0.
func (h *History) Between(ctx context.Context, from, to int64, object uuid.UUID) ([]Difference, error) {
	before, err := h.Catalog.At(ctx, h.DB, from)
	if err != nil {
		return nil, err
	}
	after := h.Catalog.Snapshot()
	if to != 0 {
		if after, err = h.Catalog.At(ctx, h.DB, to); err != nil {
			return nil, err
		}
	}
	all := h.compare(ctx, h.DB, before, after)
	if object == uuid.Nil {
		return all, nil
	}
	out := []Difference{}
	for _, o := range all {
		if o.PK == object.String() {
			out = append(out, o)
		}
	}
	return out, nil
}

func (h *History) compare(ctx context.Context, q store.Querier, before, after *catalog.Snapshot) []Difference {
	c := Comparison{Catalog: h.Catalog, Before: before, After: after, Names: h.Names(ctx, q)}
	return c.Objects()
}

// Names names users and groups as q sees them.
func (h *History) Names(ctx context.Context, q store.Querier) Names {
	if h.Name == nil {
		return nil
	}
	return func(kind, id string) string { return h.Name(ctx, q, kind, id) }
}

// searched is how many revisions are searched for a name that no object has now.
const searched = 10000

// Object finds the id of an object by its natural name, which it has now or had
// some time ago, by the slug of a flow or by its id. The error wraps ErrNoObject
// or catalog.ErrAmbiguous.
func (h *History) Object(ctx context.Context, name string) (uuid.UUID, error) {
	if id, err := uuid.Parse(name); err == nil {
		return id, nil
	}
	if o, err := h.Catalog.Snapshot().Named(name); err != nil || o != nil {
		if err != nil {
			return uuid.Nil, err
		}
		return o.ID, nil
	}
	if !strings.Contains(name, ":") {
		name = catalog.KindFlow + ":" + name
	}
	kind, called, _ := strings.Cut(name, ":")
	const page = 200
	for offset := 0; offset < searched; offset += page {
		past, _, err := h.Catalog.Revisions(ctx, catalog.Search{Kind: kind}, offset, page)
		if err != nil {
			return uuid.Nil, err
		}
		for i := range past {
			for _, c := range past[i].Changes {
				if c.Kind == kind && c.Name == called {
					return c.ID, nil
				}
			}
		}
		if len(past) < page {
			break
		}
	}
	return uuid.Nil, fmt.Errorf("%s: %w", name, ErrNoObject)
}

// Rollback says what is to be as it was.
type Rollback struct {
	To int64
	// Objects are names as History.Object takes them; none for everything.
	Objects []string
	// Unlink gives up references to users and groups that are gone, instead of
	// refusing.
	Unlink bool
	// Force goes back also where nobody could sign in afterwards.
	Force  bool
	DryRun bool
}

// Outcome is what a rollback did, or would do.
type Outcome struct {
	// Revision is the new revision; 0 when nothing was written.
	Revision int64
	Changes  []Difference
}

// Rollback makes a new revision with the content of an old one. The error is a
// *catalog.RestoreError when something cannot be as it was, and wraps
// catalog.ErrNoRevision or ErrNoObject when there is no such thing.
func (h *History) Rollback(ctx context.Context, by catalog.Meta, r Rollback) (*Outcome, error) {
	var ids []uuid.UUID
	for _, name := range r.Objects {
		id, err := h.Object(ctx, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	by.DryRun, by.Force = r.DryRun, by.Force || r.Force
	by.Source = "rollback to revision " + strconv.FormatInt(r.To, 10)
	by.Reason = by.Source
	out := &Outcome{}
	revision, err := h.Catalog.Update(ctx, by, func(ctx context.Context, tx *catalog.Tx) error {
		from, err := h.Catalog.At(ctx, tx.Store(), r.To)
		if err != nil {
			return err
		}
		if err := tx.Restore(from, ids, r.Unlink); err != nil {
			return err
		}
		if h.Check != nil {
			if err := h.Check(tx.Snapshot()); err != nil {
				return err
			}
		}
		out.Changes = h.compare(ctx, tx.Store(), tx.Before(), tx.Snapshot())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !r.DryRun && len(revision.Changes) > 0 {
		out.Revision = revision.Number
	}
	return out, nil
}
