package blueprint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
)

// Config is what an Importer needs.
type Config struct {
	Catalog *catalog.Catalog
	// Registry knows the models that entries may name.
	Registry *resource.Registry
	// Instances are the blueprints that others may apply by name or path, next
	// to those of the same call and those kept in the catalog. Nil means the
	// default blueprints.
	Instances Instances
	// Person returns a user, whose groups are read through q as well; an
	// unsaved person for a user that does not exist. Nil knows nobody, so that
	// blueprints written by people may nothing.
	Person func(ctx context.Context, q store.Querier, user int64) (*identity.Person, error)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Access decides what the author of a call may hand out; see Options.By.
	Access *access.Access
	// Grants stores the permissions of entries. Nil refuses entries that have
	// any.
	Grants Grants
	// Names names users and groups in what a dry run tells. Nil names nobody.
	Names func(ctx context.Context, q store.Querier, kind, id string) string
	// Files is the folder that !File reads from. Nil switches the tag off.
	Files *os.Root
	// Getenv is what !Env reads with; os.Getenv when nil.
	Getenv func(name string) string
	// Logger is told about every call. Nil discards.
	Logger *slog.Logger
}

// Grants stores permissions on single objects.
type Grants interface {
	// GrantObject gives a user, or a role, a permission such as "view_flow" on
	// an object. Having it already is fine. A user or role that does not exist
	// is a field.Errors.
	GrantObject(ctx context.Context, w *resource.Write, permission, model, key string, user *int64, role string) error
}

// Options are those of one call of Apply.
type Options struct {
	// DryRun does everything and keeps nothing.
	DryRun bool
	// AllowEnv lets !Env read the environment; else it gives its default.
	AllowEnv bool
	// Context wins over the context of the documents. Its values are plain.
	Context map[string]any
	// By says who applies and from where, for the history. A call for a person
	// can do no more than that person may hand out; DryRun of it does not
	// count.
	By catalog.Meta
	// Authors are users whose authority bounds the call too, so that nobody
	// lends theirs to what somebody else has written.
	Authors []int64
}

// Importer applies blueprints. It is safe for concurrent use.
type Importer struct{ config Config }

// New returns an importer.
func New(c Config) *Importer {
	if c.Instances == nil {
		c.Instances = Folder(Defaults())
	}
	if c.Person == nil {
		c.Person = func(context.Context, store.Querier, int64) (*identity.Person, error) {
			return identity.Anonymous(), nil
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With(slog.String("component", "blueprint"))
	return &Importer{config: c}
}

// Apply makes the stored objects agree with the files, all or nothing, in one
// transaction. The error is an Errors when the files are at fault; nothing has
// changed then, and the report still holds the warnings.
func (i *Importer) Apply(ctx context.Context, files []File, o Options) (*Report, error) {
	_, report, err := i.read(ctx, files, o)
	if errs, ok := asErrors(err); ok {
		i.config.Logger.WarnContext(ctx, "blueprint refused", slog.String("source", o.By.Source), slog.String("problem", errs[0].Error()))
	}
	return report, err
}

// read reads the files and applies them. The documents are those of the files, as
// far as they could be read.
func (i *Importer) read(ctx context.Context, files []File, o Options) (documents []*Document, report *Report, err error) {
	var errs Errors
	broken := false
	for _, f := range files {
		d, found := load(f)
		errs = append(errs, found...)
		documents = append(documents, d)
		broken = broken || d.broken
	}
	if errs == nil {
		report, err = i.apply(ctx, documents, o)
		return documents, report, err
	}
	// What the other entries say is tried, so that all problems are told at
	// once; nothing of it is kept.
	report = &Report{DryRun: o.DryRun}
	if !broken {
		trial := o
		trial.DryRun = true
		tried, err := i.apply(ctx, documents, trial)
		more, ok := asErrors(err)
		if err != nil && !ok {
			return documents, report, err
		}
		errs = append(errs, more...)
		report.Warnings = tried.Warnings
	}
	return documents, report, errs[:min(len(errs), maxErrors)]
}

// run is one attempt to apply all documents of a call.
type run struct {
	config   *Config
	registry *resource.Registry
	options  Options
	report   *Report
	// files are the documents of the call.
	files []*Document
	// applied tells how far each document is: false while it is under way.
	applied map[*Document]bool
	// known are the documents that Instances have given, by file name.
	known map[string]*Document
	// broken are the documents that others apply and that turned out to be
	// invalid in an earlier attempt.
	broken map[*Document]Errors
	spent  int
	// rows are what a dry run would do to what stands in tables.
	rows []history.Difference
}

// errBroken ends an attempt because a document applied by another is invalid.
type errBroken struct {
	document *Document
	errs     Errors
}

func (e *errBroken) Error() string { return "apply " + e.document.File + ": " + e.errs.Error() }

func (i *Importer) apply(ctx context.Context, documents []*Document, o Options) (*Report, error) {
	broken, known := map[*Document]Errors{}, map[string]*Document{}
	meta := o.By
	meta.DryRun = o.DryRun
	for {
		var report *Report
		revision, err := i.config.Catalog.Update(ctx, meta, func(ctx context.Context, tx *catalog.Tx) error {
			// The catalog may call this more than once.
			report = &Report{DryRun: o.DryRun}
			r := &run{config: &i.config, registry: i.config.Registry, options: o, report: report, files: documents,
				applied: map[*Document]bool{}, known: known, broken: broken}
			w, err := r.bounded(ctx, &resource.Write{Tx: tx, By: meta, Access: i.config.Access}, o.Authors)
			if err != nil {
				return err
			}
			if err := r.all(ctx, w); err != nil {
				return err
			}
			report.Findings = report.proofs(tx.Before(), tx.Snapshot(), i.config.Now())
			if o.DryRun {
				r.plan(ctx, tx)
				return nil
			}
			return r.tell(ctx, w)
		})
		// The transaction has no savepoints, so the attempt is repeated
		// without the invalid part; each one is left out at most once.
		var inner *errBroken
		if errors.As(err, &inner) {
			broken[inner.document] = inner.errs
			continue
		}
		if report == nil {
			report = &Report{DryRun: o.DryRun}
		}
		if errs, ok := ofAll(err); ok {
			report.Changes, report.Findings, report.Differences = nil, nil, nil
			return report, errs
		}
		if err != nil {
			return report, fmt.Errorf("apply blueprints: %w", err)
		}
		if !o.DryRun {
			report.Revision = revision.Number
		}
		i.config.Logger.InfoContext(ctx, "blueprints applied", slog.String("source", o.By.Source), slog.Bool("dry_run", o.DryRun),
			slog.Int("created", report.Count(Create)), slog.Int("updated", report.Count(Update)),
			slog.Int("deleted", report.Count(Delete)), slog.Int("warnings", len(report.Warnings)))
		return report, nil
	}
}

// bounded is a write that can do no more than the users may, as far as they are
// not bounding it already.
func (r *run) bounded(ctx context.Context, w *resource.Write, users []int64) (*resource.Write, error) {
	var more []*identity.Person
	for _, id := range users {
		if slices.ContainsFunc(w.Authorities(), func(p *identity.Person) bool { return p.ID == id }) {
			continue
		}
		p, err := r.config.Person(ctx, w.Store(), id)
		if err != nil {
			return nil, fmt.Errorf("read author of blueprint: %w", err)
		}
		more = append(more, p)
	}
	return w.With(more), nil
}

// maxTold is how many warnings of a call become events.
const maxTold = 10

// tell makes events of the warnings, but not of conversions: those lose nothing.
func (r *run) tell(ctx context.Context, w *resource.Write) error {
	amiss := slices.DeleteFunc(slices.Clone(r.report.Warnings), func(w Warning) bool { return w.Converted })
	for _, warning := range amiss[:min(len(amiss), maxTold)] {
		if err := r.registry.Warn(ctx, w, warning.File, warning.Message); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) all(ctx context.Context, w *resource.Write) error {
	for _, d := range r.files {
		if r.applied[d] {
			continue
		}
		if err := r.document(ctx, w, d, r.options.Context); err != nil {
			return err
		}
	}
	return nil
}

// document applies one document. After a failed entry the later ones are tried
// too, as long as what they say cannot be a consequence of it, so that an
// author learns of more than one problem at a time.
func (r *run) document(ctx context.Context, w *resource.Write, d *Document, overrides map[string]any) error {
	r.applied[d] = false
	r.report.Warnings = append(r.report.Warnings, d.Warnings...)
	s := &scope{run: r, ctx: ctx, w: w, document: d, overrides: overrides, ids: map[string]*resource.Ref{},
		skipped: map[string]bool{}, failed: map[string]bool{}, keys: map[string]any{}, lost: map[string]bool{}}
	var errs Errors
	for _, e := range d.entries {
		s.entry, s.rounds, s.depth = e, nil, 0
		if e.bad {
			s.lose(e)
			continue
		}
		err := s.apply(e)
		if err == nil {
			continue
		}
		found, ok := asErrors(err)
		if !ok && !errors.Is(err, errFollows) {
			if errs != nil {
				// The store may be unusable because of the failed entry.
				return errs
			}
			return err
		}
		errs = append(errs, found...)
		s.lose(e)
		if len(errs) >= maxErrors || r.spent > maxSpent {
			break
		}
	}
	r.applied[d] = true
	return errs.Err()
}
