package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/system"
)

// Blueprints applies blueprints; *blueprint.Importer does.
type Blueprints interface {
	// Available lists the files that instances may name.
	Available(ctx context.Context) ([]blueprint.Available, error)
	// Open returns one of them, false when there is none at that path.
	Open(path string) (blueprint.File, bool, error)
	// Apply applies files. The error is a blueprint.Errors when they are at
	// fault.
	Apply(ctx context.Context, files []blueprint.File, o blueprint.Options) (*blueprint.Report, error)
	// Try finds out whether a blueprint could be applied, and keeps nothing.
	Try(ctx context.Context, b *system.Blueprint, by catalog.Meta) error
	// ApplyKept applies a stored one and notes what came of it.
	ApplyKept(ctx context.Context, id uuid.UUID, by catalog.Meta) error
}

// blueprintRoutes keep blueprints and apply them. Creating and changing an
// instance is no generic call, since it is tried before and applied after.
func (a *API) blueprintRoutes() []Route {
	k := a.Kinds.Model("authentik_blueprints.blueprintinstance")
	const list, one = "managed/blueprints/", "managed/blueprints/{instance_uuid}/"
	replace := func(c *call) error { return changeInstance(c, field.Replace) }
	patch := func(c *call) error { return changeInstance(c, field.Update) }
	return []Route{
		{http.MethodPost, list, onAll(k, access.Add), Doc{Call: "create", Body: requestOf(k), Answer: objectOf(k), Status: http.StatusCreated}, createInstance},
		{http.MethodPut, one, onOne(k, access.Change), Doc{Call: "update", Body: requestOf(k), Answer: objectOf(k)}, replace},
		{http.MethodPatch, one, onOne(k, access.Change), Doc{Call: "partial_update", Body: patchOf(k), Answer: objectOf(k)}, patch},
		{http.MethodPost, one + "apply/", onOne(k, access.Change), Doc{Call: "create", Answer: objectOf(k)}, applyInstance},
		{http.MethodGet, list + "available/", onAll(k, access.View), Doc{Call: "list", Answer: listOf(blueprintFile{})}, listAvailable},
		// What the file needs is asked for each of its entries.
		{http.MethodPost, list + "import/", signedIn, Doc{Call: "create", Form: true, OptionalBody: true, Body: valueOf(blueprintUpload{}).named("BlueprintUploadRequest"),
			Answer: valueOf(importResult{}).named("BlueprintImportResult")}, importBlueprint},
	}
}

// createInstance keeps a blueprint that the caller could apply, and applies it.
func createInstance(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	b := system.NewBlueprint()
	if _, errs := field.Decode(&b, body, field.Create); errs != nil {
		return errs
	}
	by, err := c.author()
	if err != nil {
		return err
	}
	// Before the write, which cannot hold another one.
	if err := c.api.Blueprints.Try(c.ctx, &b, by); err != nil {
		return err
	}
	var made *resource.Ref
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		made, _, err = c.kind.Create(ctx, w, "", body)
		return err
	})
	if err != nil {
		return err
	}
	return c.applied(http.StatusCreated, made, by)
}

// changeInstance changes a blueprint that is kept. Unless it is merely switched
// off, the caller must be able to apply what comes of it.
func changeInstance(c *call, mode field.Mode) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	old, err := instanceOf(v.Config, c.ref)
	if err != nil {
		return err
	}
	next := *old
	if _, errs := field.Decode(&next, body, mode); errs != nil {
		return errs
	}
	by, err := c.author()
	if err != nil {
		return err
	}
	if system.GivesSource(body) {
		// From now on it is what the caller says, and nobody else.
		next.Authors = nil
	}
	if system.GivesSource(body) || next.Name != old.Name || next.Enabled && !old.Enabled {
		if err := c.api.Blueprints.Try(c.ctx, &next, by); err != nil {
			return err
		}
	}
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.unchanged(ctx, w); err != nil {
			return err
		}
		now, err := instanceOf(w.Snapshot(), c.ref)
		if err != nil {
			return err
		}
		if now.Version != old.Version {
			// Not what was tried.
			return fmt.Errorf("change blueprint: %w", store.ErrConflict)
		}
		ref := *c.ref // the transaction may run again
		_, _, err = c.kind.Update(ctx, w, &ref, body, mode)
		return err
	})
	if err != nil {
		return err
	}
	return c.applied(http.StatusOK, c.ref, by)
}

// applyInstance applies a blueprint now. It asks for the permission to change
// it, since that is what seeing alone must not do.
func applyInstance(c *call) error {
	by, err := c.author()
	if err != nil {
		return err
	}
	return c.applied(http.StatusOK, c.ref, by)
}

// applied applies a kept blueprint and answers what it is then.
func (c *call) applied(status int, ref *resource.Ref, by catalog.Meta) error {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return err
	}
	if err := c.api.Blueprints.ApplyKept(c.ctx, id, by); err != nil {
		return err
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	now, err := c.kind.Read(c.ctx, v, ref)
	if err != nil {
		return err
	}
	return c.object(status, now[0])
}

func instanceOf(s *catalog.Snapshot, ref *resource.Ref) (*system.Blueprint, error) {
	o, err := s.Find(catalog.KindBlueprint, "", map[string]any{"pk": ref.Key})
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, resource.ErrGone
	}
	return o.Doc.(*system.Blueprint), nil
}

// blueprintFile is a file of the server.
type blueprintFile struct {
	Path     string            `json:"path" field:"required"`
	Modified time.Time         `json:"last_m" field:"required"`
	Hash     string            `json:"hash" field:"required"`
	Meta     blueprintMetadata `json:"meta" field:"readonly"`
}

type blueprintMetadata struct {
	Name   string         `json:"name" field:"required"`
	Labels map[string]any `json:"labels" field:"required"`
}

// listAvailable answers with the files that instances may name.
func listAvailable(c *call) error {
	files, err := c.api.Blueprints.Available(c.ctx)
	if err != nil {
		return err
	}
	out := []blueprintFile{}
	for _, f := range files {
		labels := map[string]any{}
		for name, text := range f.Labels {
			labels[name] = text
		}
		out = append(out, blueprintFile{Path: f.Path, Modified: f.Modified.UTC(), Hash: f.Hash, Meta: blueprintMetadata{f.Name, labels}})
	}
	return c.answer(http.StatusOK, out)
}
