package weir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
)

// Report tells what applying blueprints did.
type Report = blueprint.Report

// BlueprintErrors are the problems of blueprints, each with file, line and column.
type BlueprintErrors = blueprint.Errors

// importer returns an importer. The folder of the settings comes before the
// default blueprints where one blueprint applies another, and is what !File
// reads from.
func (in *Installation) importer() (*blueprint.Importer, error) {
	c := blueprint.Config{
		Catalog: in.catalog, Registry: in.kinds, Access: in.access, Grants: resource.Grants{Access: in.access}, Person: in.author, Names: in.nameOf, Now: in.now, Logger: in.log,
	}
	if in.config.Blueprints != "" {
		if in.files == nil {
			root, err := os.OpenRoot(in.config.Blueprints)
			if err != nil {
				return nil, fmt.Errorf("open folder of blueprints: %w", err)
			}
			in.files, in.blueprints = root, blueprint.Folder(root.FS(), blueprint.Defaults())
		}
		c.Files = in.files
	}
	c.Instances = in.blueprints
	return blueprint.New(c), nil
}

// author is the author of a blueprint as a write under way sees them, nobody
// for a user who is gone.
func (in *Installation) author(ctx context.Context, q store.Querier, id int64) (*identity.Person, error) {
	u, err := in.people.User(ctx, q, id)
	if errors.Is(err, flow.ErrNoPerson) {
		return identity.Anonymous(), nil
	}
	if err != nil {
		return nil, err
	}
	return identity.NewPerson(u, func(ctx context.Context) ([]identity.Group, error) { return in.people.Groups(ctx, q, id) }), nil
}

// installDefaults applies the default blueprints once, in the life of the
// installation: what an administrator makes of them afterwards stays.
func (in *Installation) installDefaults(ctx context.Context) error {
	done, err := in.closed(ctx, in.db, latchDefaults, "")
	if err != nil || done {
		return err
	}
	importer, err := in.importer()
	if err != nil {
		return err
	}
	files, err := blueprint.Files(ctx, blueprint.Defaults())
	if err != nil {
		return err
	}
	if _, err := importer.Apply(ctx, files, blueprint.Options{By: catalog.Meta{Actor: "weir", Source: "first start"}}); err != nil {
		return fmt.Errorf("apply the default blueprints: %w", err)
	}
	return in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error { return in.shut(ctx, tx, latchDefaults) })
}

// Apply applies the blueprints at the paths, all or nothing. A dry run keeps
// nothing and tells what would happen. The error is BlueprintErrors when the
// files are at fault; the report still holds the warnings then.
func (in *Installation) Apply(ctx context.Context, paths []string, dryRun bool) (*Report, error) {
	return in.apply(ctx, paths, dryRun, false)
}

// ForceApply is Apply for files that are refused because nobody could sign in
// afterwards.
func (in *Installation) ForceApply(ctx context.Context, paths []string, dryRun bool) (*Report, error) {
	return in.apply(ctx, paths, dryRun, true)
}

func (in *Installation) apply(ctx context.Context, paths []string, dryRun, force bool) (*Report, error) {
	files, err := readBlueprints(paths)
	if err != nil {
		return nil, err
	}
	if !dryRun {
		// Before anything else, or a later first start would overwrite what
		// these files make of the default flows.
		if err := in.installDefaults(ctx); err != nil {
			return nil, err
		}
	}
	importer, err := in.importer()
	if err != nil {
		return nil, err
	}
	report, err := importer.Apply(ctx, files, blueprint.Options{DryRun: dryRun, AllowEnv: true, By: catalog.Meta{Actor: "weir apply", Source: "command", Force: force}})
	if err == nil && !dryRun {
		err = in.settleSetup(ctx)
	}
	return report, err
}

// Export returns a flow as a blueprint, with all that belongs to it. The error
// wraps flow.ErrNoFlow when no flow has the slug.
func (in *Installation) Export(ctx context.Context, slug string) ([]byte, error) {
	v := resource.View{Config: in.catalog.Snapshot(), DB: in.db, Dialect: in.db.Dialect()}
	return in.exporter().Flow(ctx, v, slug)
}

// ExportPortable returns flows, or with no slug the whole configuration, as a blueprint
// that refers to things by name and so fits every installation. The error wraps
// flow.ErrNoFlow when no flow has one of the slugs.
func (in *Installation) ExportPortable(ctx context.Context, slugs ...string) ([]byte, error) {
	v := resource.View{Config: in.catalog.Snapshot(), DB: in.db, Dialect: in.db.Dialect()}
	return in.exporter().Portable(ctx, v, slugs...)
}

func (in *Installation) exporter() *blueprint.Exporter {
	return &blueprint.Exporter{Catalog: in.catalog, Registry: in.kinds, Now: in.now}
}

func readBlueprints(paths []string) (files []blueprint.File, err error) {
	for _, path := range paths {
		data, err := readBlueprint(path)
		if err != nil {
			return nil, err
		}
		files = append(files, blueprint.File{Name: path, Data: data})
	}
	return files, nil
}

// readBlueprint reads one byte more than a blueprint may have, so that loading
// it says what is wrong.
func readBlueprint(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read blueprint: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read blueprint: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("read blueprint: %w", &fs.PathError{Op: "read", Path: path, Err: errors.New("is a folder")})
	}
	return io.ReadAll(io.LimitReader(f, blueprint.MaxBytes+1))
}
