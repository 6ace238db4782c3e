package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/resource"
)

// Drift tells how the configuration differs from the blueprints that are applied
// by themselves.
type Drift func(ctx context.Context, by catalog.Meta) ([]blueprint.Drift, error)

// historyRoutes show what has become of the configuration, and undo it. They are
// about objects of all kinds, and what is undone may give anything to anybody,
// so they are for superusers (rule 46).
func (a *API) historyRoutes() []Route {
	const all, one = "weir/history/", "weir/history/{revision}/"
	object := resource.Filter{Name: "object"}
	paged := []resource.Filter{object, {Name: "page", Type: "integer"}, {Name: "page_size", Type: "integer"}}
	return []Route{
		{http.MethodGet, all, superuser, Doc{Call: "list", Summary: "List the changes of the configuration, the newest first",
			Query: append(paged, revisionFilters...), Answer: pageOfValues(history.Revision{})}, listRevisions},
		{http.MethodGet, one, superuser, Doc{Call: "retrieve", Summary: "Show what a revision changed, field by field",
			Answer: valueOf(revisionDetail{})}, showRevision},
		{http.MethodPost, one + "rollback/", superuser, Doc{Call: "create", Summary: "Make the configuration, or some objects, what they were at a revision",
			Body: valueOf(rollback{}), OptionalBody: true, Answer: valueOf(rollbackResult{})}, rollBack},
		{http.MethodGet, "weir/diff/", superuser, Doc{Call: "list", Summary: "Compare two revisions, or one with the configuration as it is",
			Query: []resource.Filter{fromRevision, toRevision, object}, Answer: listOf(history.Difference{})}, diffRevisions},
		{http.MethodGet, "weir/drift/", superuser, Doc{Call: "list", Summary: "Compare the configuration with the blueprints that are applied by themselves",
			Answer: listOf(blueprint.Drift{}).named("BlueprintDrift")}, showDrift},
	}
}

// revisionFilters narrow the list of revisions, besides the object.
var revisionFilters = []resource.Filter{{Name: "kind"}, {Name: "actor"}, {Name: "source"}, {Name: "created__gt", Format: "date-time"},
	{Name: "created__lt", Format: "date-time"}}

func listRevisions(c *call) error {
	_, q, err := c.asked()
	if err != nil || q == nil {
		return err
	}
	filters := resource.Kind{Filters: revisionFilters}
	given, errs := filters.ParseFilters(c.r.URL.Query())
	if errs != nil {
		return errs
	}
	id, err := c.namedObject()
	if err != nil {
		return err
	}
	var s catalog.Search
	s.Kind, _ = given["kind"].(string)
	s.Actor, _ = given["actor"].(string)
	s.Source, _ = given["source"].(string)
	s.Since, _ = given["created__gt"].(time.Time)
	s.Until, _ = given["created__lt"].(time.Time)
	if id != uuid.Nil {
		s.Object = id.String()
	}
	return c.pages(q, func() (any, int, int, error) {
		list, total, err := c.api.History.Revisions(c.ctx, s, (q.Page-1)*q.Size, q.Size)
		return list, len(list), total, err
	})
}

// namedObject finds the object that the parameter names; the nil id for none.
func (c *call) namedObject() (uuid.UUID, error) {
	name := c.r.URL.Query().Get("object")
	if name == "" {
		return uuid.Nil, nil
	}
	id, err := c.api.History.Object(c.ctx, name)
	return id, historyError(err, "object")
}

// historyError says which parameter or field names an object that there is not.
func historyError(err error, name string) error {
	var kept *catalog.RestoreError
	switch {
	case errors.Is(err, history.ErrNoObject), errors.Is(err, catalog.ErrAmbiguous):
		return field.Errorf(name, field.CodeDoesNotExist, "%s.", upper(err.Error()))
	case errors.Is(err, catalog.ErrNoRevision):
		return fmt.Errorf("%w: %w", resource.ErrGone, err)
	case errors.As(err, &kept):
		var errs field.Errors
		for _, problem := range kept.Problems {
			errs = errs.Add(field.NonField, field.Error{Code: field.CodeInvalid, String: problem})
		}
		return errs
	}
	return err
}

// revisionNumber is the revision in the address.
func (c *call) revisionNumber() (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue("revision"), 10, 64)
	if err != nil || n < 0 {
		return 0, resource.ErrGone
	}
	return n, nil
}

// revisionDetail is a revision with all that it changed.
type revisionDetail struct {
	Revision int64     `json:"revision" field:"required"`
	Created  time.Time `json:"created" field:"required"`
	ActorPK  *int64    `json:"actor_pk" field:"required,null"`
	Actor    string    `json:"actor" field:"required"`
	Source   string    `json:"source" field:"required"`
	// Known is false for the oldest revision that is kept, when the one before is
	// forgotten: nobody can tell what it changed.
	Known   bool                 `json:"known" field:"required"`
	Changes []history.Difference `json:"changes" field:"required"`
}

func showRevision(c *call) error {
	n, err := c.revisionNumber()
	if err != nil {
		return err
	}
	if _, err := c.view(); err != nil {
		return err
	}
	r, err := c.api.History.Revision(c.ctx, n)
	if err != nil {
		return historyError(err, "revision")
	}
	out := revisionDetail{Revision: r.Number, Created: r.Created, ActorPK: r.ActorPK, Actor: r.Actor, Source: r.Source, Known: true}
	out.Changes, err = c.api.History.Between(c.ctx, n-1, n, uuid.Nil)
	if errors.Is(err, catalog.ErrNoRevision) {
		out.Known, out.Changes, err = false, []history.Difference{}, nil
	}
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, out)
}

var (
	fromRevision = resource.Filter{Name: "from", Type: "integer", Required: true}
	toRevision   = resource.Filter{Name: "to", Type: "integer"}
)

func diffRevisions(c *call) error {
	if _, err := c.view(); err != nil {
		return err
	}
	filters := resource.Kind{Filters: []resource.Filter{fromRevision, toRevision}}
	given, errs := filters.ParseFilters(c.r.URL.Query())
	if errs == nil && given[fromRevision.Name] == nil {
		errs = field.Errorf(fromRevision.Name, field.CodeRequired, "Give the number of a revision.")
	}
	if errs != nil {
		return errs
	}
	id, err := c.namedObject()
	if err != nil {
		return err
	}
	from, _ := given[fromRevision.Name].(int64)
	to, _ := given[toRevision.Name].(int64)
	changes, err := c.api.History.Between(c.ctx, from, to, id)
	if err != nil {
		return historyError(err, "object")
	}
	return c.answer(http.StatusOK, changes)
}

// rollback says what is to be as it was.
type rollback struct {
	// DryRun only tells what would change.
	DryRun bool `json:"dry_run"`
	// Objects are names such as stage:password, slugs of flows or ids; none for
	// the whole configuration.
	Objects []string `json:"objects" field:"max=1000"`
	// Unlink gives up references to users and groups that are gone.
	Unlink bool `json:"unlink"`
}

// rollbackResult is what was, or would be, changed.
type rollbackResult struct {
	// Revision is the new one, null when nothing was written.
	Revision *int64               `json:"revision" field:"required,null"`
	DryRun   bool                 `json:"dry_run" field:"required"`
	Changes  []history.Difference `json:"changes" field:"required"`
}

func rollBack(c *call) error {
	n, err := c.revisionNumber()
	if err != nil {
		return err
	}
	var asked rollback
	if err := c.decode(&asked); err != nil {
		return err
	}
	by, err := c.author()
	if err != nil {
		return err
	}
	if _, err := c.view(); err != nil {
		return err
	}
	made, err := c.api.History.Rollback(c.ctx, by, history.Rollback{To: n, Objects: asked.Objects, Unlink: asked.Unlink, DryRun: asked.DryRun})
	if err != nil {
		return historyError(err, "objects")
	}
	out := rollbackResult{DryRun: asked.DryRun, Changes: made.Changes}
	if made.Revision > 0 {
		out.Revision = &made.Revision
	}
	return c.answer(http.StatusOK, out)
}

func showDrift(c *call) error {
	by, err := c.author()
	if err != nil {
		return err
	}
	if _, err := c.view(); err != nil {
		return err
	}
	all, err := c.api.Drift(c.ctx, by)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, all)
}

// visible leaves out what a dry run tells of objects that the caller may not
// view.
func (c *call) visible(all []history.Difference) ([]history.Difference, error) {
	out := []history.Difference{}
	may := map[string]bool{}
	for _, d := range all {
		ok, asked := may[d.Model]
		if k := c.api.Kinds.Model(d.Model); !asked && k != nil {
			var err error
			if ok, err = c.api.Access.Can(c.ctx, c.visit.User, access.View, k.Name(), ""); err != nil {
				return nil, err
			}
			may[d.Model] = ok
		}
		if ok {
			out = append(out, d)
		}
	}
	return out, nil
}
