package weir

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/store"
)

// Difference is what differs about one object between two configurations.
type Difference = history.Difference

// Revision is a change of the configuration that was made.
type Revision = history.Revision

// Rollback says what is to be as it was at a revision.
type Rollback = history.Rollback

// Drift is how the configuration differs from what a blueprint says.
type Drift = blueprint.Drift

// nameOf names a user or a group, empty for one that is gone.
func (in *Installation) nameOf(ctx context.Context, q store.Querier, kind, id string) string {
	switch kind {
	case "user":
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			if found, err := in.people.UsersByID(ctx, q, []int64{n}); err == nil && len(found) == 1 {
				return found[0].Username
			}
		}
	case "group":
		if pk, err := uuid.Parse(id); err == nil {
			if found, err := in.people.GroupsByID(ctx, q, []uuid.UUID{pk}); err == nil && len(found) == 1 {
				return found[0].Name
			}
		}
	}
	return ""
}

// History lists the newest changes of the configuration, at most limit, of all
// objects or of the one with this name, such as "stage:password", or the slug of
// a flow.
func (in *Installation) History(ctx context.Context, object string, limit int) ([]Revision, error) {
	var s catalog.Search
	if object != "" {
		id, err := in.history.Object(ctx, object)
		if err != nil {
			return nil, err
		}
		s.Object = id.String()
	}
	list, _, err := in.history.Revisions(ctx, s, 0, limit)
	return list, err
}

// Revision returns one change of the configuration, and what it changed field by
// field.
func (in *Installation) Revision(ctx context.Context, number int64) (*Revision, []Difference, error) {
	r, err := in.history.Revision(ctx, number)
	if err != nil {
		return nil, nil, err
	}
	changes, err := in.history.Between(ctx, number-1, number, uuid.Nil)
	return r, changes, err
}

// Diff tells what differs between two revisions, of all objects or of the one
// with this name; to is the newest revision when it is 0.
func (in *Installation) Diff(ctx context.Context, from, to int64, object string) ([]Difference, error) {
	id := uuid.Nil
	if object != "" {
		var err error
		if id, err = in.history.Object(ctx, object); err != nil {
			return nil, err
		}
	}
	return in.history.Between(ctx, from, to, id)
}

// DiffBlueprints tells how the configurations differ that two blueprints would
// make, each applied to what is stored. Nothing is kept.
func (in *Installation) DiffBlueprints(ctx context.Context, before, after string) ([]Difference, error) {
	files, err := readBlueprints([]string{before, after})
	if err != nil {
		return nil, err
	}
	importer, err := in.importer()
	if err != nil {
		return nil, err
	}
	return importer.Compare(ctx, files[0], files[1], blueprint.Options{AllowEnv: true, By: catalog.Meta{Actor: "weir diff", Source: "command"}})
}

// Drift tells how the configuration differs from each blueprint that is applied
// by itself.
func (in *Installation) Drift(ctx context.Context) ([]Drift, error) {
	return in.drift(ctx, catalog.Meta{Actor: "weir diff", Source: "command"})
}

func (in *Installation) drift(ctx context.Context, by catalog.Meta) ([]Drift, error) {
	importer, err := in.importer()
	if err != nil {
		return nil, err
	}
	var folder []blueprint.File
	if in.files != nil {
		if folder, err = blueprint.Files(ctx, in.files.FS()); err != nil {
			return nil, err
		}
	}
	return importer.Drifts(ctx, folder, by)
}

// Rollback makes a new revision with the content of an old one, and returns its
// number, 0 when nothing was written, with what it changed.
func (in *Installation) Rollback(ctx context.Context, r Rollback) (int64, []Difference, error) {
	out, err := in.history.Rollback(ctx, catalog.Meta{Actor: "weir rollback"}, r)
	if err != nil {
		return 0, nil, err
	}
	return out.Revision, out.Changes, nil
}

// forgetConfiguration removes the versions that are older than wanted.
func (in *Installation) forgetConfiguration(ctx context.Context) (int64, error) {
	if in.config.HistoryKeep == 0 {
		return 0, nil
	}
	return in.catalog.Forget(ctx, in.now().Add(-in.config.HistoryKeep))
}
