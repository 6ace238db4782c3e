package blueprint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/system"
)

// CheckSource refuses, as field.Errors, a path that names no file of the server
// and text that is no blueprint. What the entries say is judged by Try.
func CheckSource(known Instances, path, content string) error {
	var errs field.Errors
	if path != "" {
		file, err := source(known, &system.Blueprint{Path: path})
		var missing field.Errors
		switch {
		case errors.As(err, &missing):
			errs = errs.Merge(missing)
		case err != nil:
			return err
		default:
			errs = errs.Merge(loadProblems("path", file))
		}
	}
	if content != "" {
		errs = errs.Merge(loadProblems("content", File{Data: []byte(content)}))
	}
	return errs.Err()
}

func loadProblems(name string, file File) field.Errors {
	_, err := Load(file)
	problems, _ := asErrors(err)
	return asFields(name, problems)
}

// asFields lists the problems of a blueprint under the field that it came from.
func asFields(name string, problems Errors) (errs field.Errors) {
	for _, p := range problems {
		errs = errs.Add(name, field.Error{Code: field.CodeInvalid, String: p.Sentence(), Line: p.Line, Column: p.Column})
	}
	return errs
}

// Sentence says where the problem is and what it is, for whoever has the text
// before them.
func (e *Error) Sentence() string {
	var where []string
	if e.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", e.Line))
		if e.Column > 0 {
			where = append(where, fmt.Sprintf("column %d", e.Column))
		}
	}
	inner := *e
	inner.Place = Place{Entry: e.Entry, ID: e.ID, Model: e.Model}
	if len(where) == 0 {
		return inner.Error()
	}
	return "In " + strings.Join(where, ", ") + ": " + inner.Error()
}

// source is the text that a kept blueprint applies. A path that leads nowhere is
// a field.Errors.
func source(known Instances, b *system.Blueprint) (File, error) {
	if b.Path == "" {
		return File{Name: b.Name, Data: []byte(b.Content), Upload: true}, nil
	}
	if len(b.Path) >= 6 && strings.EqualFold(b.Path[:6], "oci://") {
		return File{}, field.Errorf("path", field.CodeInvalid, "Name a file of the server or give the text as content; OCI registries are not supported.")
	}
	file, ok, err := known.Open(b.Path)
	if err == nil && !ok {
		err = field.Errorf("path", field.CodeDoesNotExist, "Name one of the available files; %q is none.", b.Path)
	}
	return file, err
}

// Available lists the files that a kept blueprint may name.
func (i *Importer) Available(ctx context.Context) ([]Available, error) {
	return i.config.Instances.Available(ctx)
}

// Open returns the file at a path, false when there is none.
func (i *Importer) Open(path string) (File, bool, error) { return i.config.Instances.Open(path) }

// Try applies a blueprint that is to be kept and keeps nothing. Its problems are
// field.Errors of content or path.
func (i *Importer) Try(ctx context.Context, b *system.Blueprint, by catalog.Meta) error {
	if b.Path != "" {
		// The text is not what is tried then.
		if err := loadProblems("content", File{Data: []byte(b.Content)}).Err(); err != nil {
			return err
		}
	}
	_, err := i.attempt(ctx, b, by, true)
	if problems, ok := asErrors(err); ok {
		name := "content"
		if b.Path != "" {
			name = "path"
		}
		return asFields(name, problems)
	}
	return err
}

// outcome is what became of a kept blueprint.
type outcome struct {
	hash     string
	document *Document
	report   *Report
}

// attempt applies a kept blueprint for somebody.
func (i *Importer) attempt(ctx context.Context, b *system.Blueprint, by catalog.Meta, dryRun bool) (outcome, error) {
	file, err := source(i.config.Instances, b)
	if err != nil {
		return outcome{}, err
	}
	by.Source = "blueprint " + b.Name
	documents, report, err := i.read(ctx, []File{file}, Options{DryRun: dryRun, AllowEnv: !file.Upload, Context: b.Context, By: by, Authors: b.Authors})
	return outcome{hash: hashOf(file.Data), document: documents[0], report: report}, err
}

// ApplyKept applies a kept blueprint for somebody and notes what came of it;
// one that is switched off is left alone. That it could not be applied is no
// error: its status says so. The error wraps resource.ErrGone when there is no
// such blueprint.
func (i *Importer) ApplyKept(ctx context.Context, id uuid.UUID, by catalog.Meta) error {
	o, ok := i.config.Catalog.Snapshot().Get(id)
	if !ok || o.Kind != catalog.KindBlueprint {
		return fmt.Errorf("apply blueprint %s: %w", id, resource.ErrGone)
	}
	b := o.Doc.(*system.Blueprint)
	if !b.Enabled {
		return nil
	}
	failed, err := i.applyKept(ctx, b, by)
	if failed != nil {
		i.config.Logger.WarnContext(ctx, "blueprint not applied", slog.String("name", b.Name), slog.Any("error", failed))
	}
	return err
}

// applyKept applies a kept blueprint and notes what came of it. The first error
// says why it was not applied.
func (i *Importer) applyKept(ctx context.Context, b *system.Blueprint, by catalog.Meta) (failed, err error) {
	out, failed := i.attempt(ctx, b, by, false)
	return failed, i.note(ctx, out, failed, b.ID)
}

// note stores the outcome at kept blueprints, by the program itself: it is not
// who wrote them.
func (i *Importer) note(ctx context.Context, out outcome, failed error, ids ...uuid.UUID) error {
	data := map[string]any{"status": string(system.Successful), "last_applied": i.config.Now().UTC().Format(time.RFC3339Nano)}
	if failed == nil {
		data["last_applied_hash"] = out.hash
	} else {
		data["status"] = string(system.Failed)
	}
	if d := out.document; d != nil && !d.broken {
		labels := map[string]any{}
		for name, text := range d.Labels {
			labels[name] = text
		}
		data["metadata"] = map[string]any{"name": d.Name, "labels": labels}
	}
	// Also when nobody waits any more: it has been applied.
	_, err := i.config.Catalog.Update(context.WithoutCancel(ctx), program, func(_ context.Context, tx *catalog.Tx) error {
		for _, id := range ids {
			if _, ok := tx.Get(id); !ok {
				continue // deleted in between
			}
			if _, _, err := tx.Edit(id, data, field.Internal); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what became of a blueprint: %w", err)
	}
	return nil
}
