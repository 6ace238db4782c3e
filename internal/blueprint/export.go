package blueprint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

// labelGenerated marks blueprints that no person has written.
const labelGenerated = "blueprints.goauthentik.io/generated"

// Exporter writes stored flows as blueprints, in the form that the importer and
// authentik's read. It learns all about the objects from their kinds.
type Exporter struct {
	Catalog  *catalog.Catalog
	Registry *resource.Registry
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Flow returns the flow with a slug as a blueprint: the flow, what its stages
// consist of, all policies, the stages, and both kinds of bindings, each object
// once. What is only mentioned (other flows, stages that are not bound, people)
// and everything secret is left out. The error wraps flow.ErrNoFlow for an
// unknown slug and is a field.Errors when an object cannot be read.
func (x *Exporter) Flow(ctx context.Context, v resource.View, slug string) ([]byte, error) {
	f, ok := v.Config.FlowBySlug(slug)
	if !ok {
		return nil, fmt.Errorf("export flow %q: %w", slug, flow.ErrNoFlow)
	}
	e := &export{Exporter: x, ctx: ctx, view: v, written: map[uuid.UUID]bool{}}
	parts, err := x.collect(v, f.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := e.add(p.id, p.identifiers); err != nil {
			return nil, err
		}
	}
	now := time.Now
	if x.Now != nil {
		now = x.Now
	}
	return encodeYAML(map[string]any{
		"version": int64(1),
		"metadata": map[string]any{
			"name":   "Weir Export - " + now().UTC().Format("2006-01-02 15:04:05.000000-07:00"),
			"labels": map[string]any{labelGenerated: "true"},
		},
		"context": map[string]any{},
		"entries": e.entries,
	})
}

// part is an object to write, with the fields that find it again.
type part struct {
	id          uuid.UUID
	identifiers []string
}

// collect lists the parts of a flow, references before what refers to them.
func (x *Exporter) collect(v resource.View, id uuid.UUID) ([]part, error) {
	var pieces, policies, stages, bindings, policyBindings []part
	decide := func(target uuid.UUID) error {
		for _, b := range v.Config.PolicyBindings(target) {
			if _, err := whole(v, b.ID); err != nil {
				return err
			}
			policyBindings = append(policyBindings, part{b.ID, []string{"policy", "target", "order"}})
			if b.Policy != nil {
				policies = append(policies, part{id: *b.Policy})
			}
		}
		return nil
	}
	if err := decide(id); err != nil {
		return nil, err
	}
	for _, b := range v.Config.Bindings(id) {
		if _, err := whole(v, b.ID); err != nil {
			return nil, err
		}
		bindings = append(bindings, part{b.ID, []string{"target", "stage", "order"}})
		stages = append(stages, part{b.Stage, []string{"name"}})
		for _, of := range x.pieces(v, b.Stage) {
			if of.Kind == catalog.KindPolicy {
				policies = append(policies, part{id: of.ID})
			} else {
				pieces = append(pieces, part{id: of.ID})
			}
		}
		if err := decide(b.ID); err != nil {
			return nil, err
		}
	}
	return slices.Concat([]part{{id, []string{"slug"}}}, pieces, policies, stages, bindings, policyBindings), nil
}

// whole returns an object that can be read as it was written. Any other one
// would make a blueprint that does less than the flow.
func whole(v resource.View, id uuid.UUID) (*catalog.Object, error) {
	o, ok := v.Config.Get(id)
	switch {
	case !ok:
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "The object %s is bound but does not exist. Remove the binding first.", id)
	case o.Err != nil:
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "The %s %s cannot be read: %s. Mend or delete it first.",
			o.Kind, id, strings.TrimSuffix(o.Err.Error(), "."))
	}
	return o, nil
}

// pieces are the objects that a stage consists of: the policies and prompts
// that it names. Flows and other stages are objects of their own.
func (x *Exporter) pieces(v resource.View, stage uuid.UUID) []*catalog.Object {
	o, ok := v.Config.Get(stage)
	if !ok {
		return nil
	}
	var out []*catalog.Object
	for _, doc := range x.Catalog.Parts(o) {
		for _, ref := range field.References(doc) {
			id, err := uuid.Parse(ref.ID)
			if err != nil {
				continue // a user
			}
			if of, ok := v.Config.Get(id); ok && of.Kind != catalog.KindFlow && of.Kind != catalog.KindStage {
				out = append(out, of)
			}
		}
	}
	return out
}

// export is one blueprint being made.
type export struct {
	*Exporter
	ctx     context.Context
	view    resource.View
	written map[uuid.UUID]bool
	entries []any
}

// add writes an object unless it is there already.
func (e *export) add(id uuid.UUID, identifiers []string) error {
	if e.written[id] {
		return nil
	}
	e.written[id] = true
	o, err := whole(e.view, id)
	if err != nil {
		return err
	}
	model := e.Catalog.Model(o.Kind, o.Type)
	kind, err := e.Registry.Kind(model)
	if err != nil {
		return fmt.Errorf("export %s %s: %w", model, id, err)
	}
	ref, err := kind.Find(e.ctx, e.view, map[string]any{"pk": id.String()})
	if err == nil && ref == nil {
		err = resource.ErrGone
	}
	if err != nil {
		return fmt.Errorf("export %s %s: %w", model, id, err)
	}
	read, err := kind.Read(e.ctx, e.view, ref)
	if err != nil {
		return fmt.Errorf("export %s %s: %w", model, id, err)
	}
	e.entries = append(e.entries, entryOf(kind, id, read[0], identifiers))
	return nil
}

// entryOf is an entry as authentik writes it: pk and the identifiers, and of the
// other members those that can be written.
func entryOf(kind *resource.Kind, id uuid.UUID, read map[string]any, identifiers []string) map[string]any {
	match, attrs := map[string]any{"pk": id.String()}, map[string]any{}
	for _, s := range kind.Writable() {
		value, shown := read[s.Name]
		switch {
		case !shown || strings.HasSuffix(s.Name, "_set"):
		case slices.Contains(identifiers, s.Name):
			match[s.Name] = value
		default:
			attrs[s.Name] = value
		}
	}
	return map[string]any{"model": kind.Model, "state": string(present), "identifiers": match, "attrs": attrs, "conditions": []any{}, "permissions": []any{}}
}
