package blueprint

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/system"
)

// program is who discovers files and keeps their instances.
var program = catalog.Meta{Actor: "weir", Source: "blueprint"}

// Discover applies a file of the server, which means every enabled instance
// that names it by its path, with the context of the instance, unless it has
// been applied with this very text. A file that no instance names gets one, but
// not when a label says that it shall not be applied by itself, nor when it is
// empty. It tells whether something was applied; the error, an Errors when the
// file is at fault, is that of an instance that was not.
func (i *Importer) Discover(ctx context.Context, file File) (applied bool, err error) {
	named := i.naming(file.Name)
	d, err := Load(file)
	if err != nil && named == nil {
		return false, err // and it cannot tell whether it wants an instance
	}
	if len(named) == 0 && !strings.EqualFold(d.Labels[LabelInstantiate], "false") && len(bytes.TrimSpace(file.Data)) > 0 {
		if err := i.keep(ctx, d); err != nil {
			return false, err
		}
		named = i.naming(file.Name)
	}
	var refused error
	for _, b := range named {
		if !b.Enabled || b.Status == system.Successful && b.LastAppliedHash == hashOf(file.Data) {
			continue
		}
		failed, err := i.applyKept(ctx, b, program)
		if err != nil {
			return applied, err
		}
		if failed == nil {
			applied = true
		} else if refused == nil {
			refused = failed
		}
	}
	return applied, refused
}

// naming are the instances that name a file.
func (i *Importer) naming(path string) (named []*system.Blueprint) {
	for _, o := range i.config.Catalog.Snapshot().Objects(catalog.KindBlueprint) {
		if b := o.Doc.(*system.Blueprint); b.Path == path {
			named = append(named, b)
		}
	}
	return named
}

// keep makes the instance of a file, named after its metadata, or after its
// path if that name is taken.
func (i *Importer) keep(ctx context.Context, d *Document) error {
	_, err := i.config.Catalog.Update(ctx, program, func(_ context.Context, tx *catalog.Tx) error {
		taken := map[string]bool{"": true}
		for _, o := range tx.Snapshot().Objects(catalog.KindBlueprint) {
			b := o.Doc.(*system.Blueprint)
			if b.Path == d.File {
				return nil // another node was faster
			}
			taken[b.Name] = true
		}
		name := d.Name
		if taken[name] {
			name = d.File
		}
		_, _, err := tx.Create(catalog.KindBlueprint, "", uuid.Nil, map[string]any{"name": name, "path": d.File})
		return err
	})
	if err != nil {
		return fmt.Errorf("keep an instance of %s: %w", d.File, err)
	}
	return nil
}

// Clean looks for instances whose files are gone. They are marked as orphaned.
// Those that were orphaned already are deleted if nothing is lost by that:
// discovery has made them, and nobody has changed them. Their objects stay.
func (i *Importer) Clean(ctx context.Context) error {
	var gone []*system.Blueprint
	for _, o := range i.config.Catalog.Snapshot().Objects(catalog.KindBlueprint) {
		b := o.Doc.(*system.Blueprint)
		if b.Path == "" || b.Status == system.Orphaned && !discovered(b) {
			continue
		}
		_, there, err := i.config.Instances.Open(b.Path)
		if err != nil {
			return err
		}
		if !there {
			gone = append(gone, b)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	_, err := i.config.Catalog.Update(ctx, program, func(_ context.Context, tx *catalog.Tx) error {
		for _, b := range gone {
			o, ok := tx.Get(b.ID)
			if !ok || o.Version != b.Version {
				continue // changed in between
			}
			if b.Status == system.Orphaned {
				if err := tx.Delete(b.ID); err != nil {
					return err
				}
			} else if _, _, err := tx.Edit(b.ID, map[string]any{"status": string(system.Orphaned)}, field.Internal); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("clean up instances: %w", err)
	}
	return nil
}

// discovered tells whether an instance is as Discover has made it.
func discovered(b *system.Blueprint) bool {
	return len(b.Authors) == 0 && b.Enabled && len(b.Context) == 0
}
