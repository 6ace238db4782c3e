package blueprint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/system"
)

// plan tells what a dry run would change: the configuration as a whole, so that
// an object of several entries counts once, and the rows that entries touch.
func (r *run) plan(ctx context.Context, tx *catalog.Tx) {
	c := history.Comparison{Catalog: r.config.Catalog, Before: tx.Before(), After: tx.Snapshot(), Names: r.config.names(ctx, tx)}
	r.report.after = tx.Snapshot()
	r.report.Differences = append(c.Objects(), r.rows...)
	slices.SortStableFunc(r.report.Differences, func(a, b history.Difference) int { return cmp.Compare(a.Name, b.Name) })
}

func (c *Config) names(ctx context.Context, tx *catalog.Tx) history.Names {
	if c.Names == nil {
		return nil
	}
	return func(kind, id string) string { return c.Names(ctx, tx.Store(), kind, id) }
}

// inTable tells whether a dry run looks at the objects of a kind one by one.
func (s *scope) inTable(kind *resource.Kind) bool {
	_, _, configuration := s.config.Catalog.ByModel(kind.Model)
	return s.options.DryRun && !configuration
}

// shown is a row as the API shows it, nil for what plan compares.
func (s *scope) shown(kind *resource.Kind, ref *resource.Ref) (map[string]any, error) {
	if !s.inTable(kind) {
		return nil, nil
	}
	now, err := kind.Find(s.ctx, s.w.View(), map[string]any{"pk": ref.Key})
	if err != nil || now == nil {
		return nil, err
	}
	read, err := kind.Read(s.ctx, s.w.View(), now)
	if err != nil {
		return nil, err
	}
	return read[0], nil
}

// planned notes what a dry run would do to a row.
func (s *scope) planned(op catalog.Op, kind *resource.Kind, ref *resource.Ref, before, after map[string]any, changed []string) {
	if s.inTable(kind) {
		s.rows = append(s.rows, history.Row(op, kind.Model, ref.ID(), ref.Name, kind.Fields(), before, after, changed, s.config.names(s.ctx, s.w.Tx)))
	}
}

// Compare tells how the configurations differ that two files would make, each
// applied to the stored one; nothing is kept. It looks at the configuration
// only. The error is an Errors when a file is at fault.
func (i *Importer) Compare(ctx context.Context, before, after File, o Options) ([]history.Difference, error) {
	o.DryRun, o.By.Force = true, true // nothing comes of it
	var made [2]*catalog.Snapshot
	for n, file := range []File{before, after} {
		report, err := i.Apply(ctx, []File{file}, o)
		if err != nil {
			return nil, err
		}
		made[n] = report.after
	}
	c := history.Comparison{Catalog: i.config.Catalog, Before: made[0], After: made[1], ByName: true}
	if i.config.Names != nil {
		c.Names = func(kind, id string) string { return i.config.Names(ctx, i.config.Catalog.DB, kind, id) }
	}
	return c.Objects(), nil
}

// Drift is how the stored objects differ from what a blueprint says.
type Drift struct {
	// Blueprint is the name of the instance, or the path of a file that has
	// none; PK is the key of the instance, empty for a file.
	Blueprint string `json:"blueprint" field:"required"`
	PK        string `json:"pk" field:"required"`
	// Changes are what applying it would change.
	Changes []history.Difference `json:"changes" field:"required"`
	// Problem says why it could not be applied; empty when it could.
	Problem string `json:"problem" field:"required"`
}

// Drifts compares the stored objects with each blueprint that is applied by
// itself: the instances that are switched on, and files of the watched folder.
func (i *Importer) Drifts(ctx context.Context, folder []File, by catalog.Meta) ([]Drift, error) {
	out := []Drift{}
	add := func(name, pk string, report *Report, err error) error {
		d := Drift{Blueprint: name, PK: pk, Changes: []history.Difference{}}
		if problems, ok := asErrors(err); ok {
			d.Problem = problems.Error()
		} else if fault, ok := resource.Fault(err); ok {
			d.Problem = fault
		} else if err != nil {
			return fmt.Errorf("compare with blueprint %s: %w", name, err)
		} else {
			d.Changes = report.Differences
		}
		out = append(out, d)
		return nil
	}
	instances := map[string]bool{}
	for _, o := range i.config.Catalog.Snapshot().Objects(catalog.KindBlueprint) {
		b := o.Doc.(*system.Blueprint)
		if !b.Enabled {
			continue
		}
		instances[b.Path] = true
		tried, err := i.attempt(ctx, b, by, true)
		if err := add(b.Name, o.ID.String(), tried.report, err); err != nil {
			return nil, err
		}
	}
	for _, file := range folder {
		if d, err := Load(file); instances[file.Name] || err == nil && d.Labels[LabelInstantiate] == "false" {
			continue
		}
		report, err := i.Apply(ctx, []File{file}, Options{DryRun: true, AllowEnv: true, By: by})
		if err := add(file.Name, "", report, err); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b Drift) int { return strings.Compare(a.Blueprint, b.Blueprint) })
	return out, nil
}

// Drifted tells whether anything differs, or cannot be compared.
func Drifted(all []Drift) bool {
	return slices.ContainsFunc(all, func(d Drift) bool { return d.Problem != "" || len(d.Changes) > 0 })
}
