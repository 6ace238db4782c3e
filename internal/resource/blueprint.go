package resource

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/system"
)

// blueprintMembers are the read-only members of a blueprint instance.
type blueprintMembers struct {
	PK uuid.UUID `json:"pk"`
}

// BlueprintSource refuses a path that names no blueprint of the server, and
// text that is none, as field.Errors.
type BlueprintSource func(path, content string) error

func blueprintKind(c *catalog.Catalog, source BlueprintSource) *Kind {
	if source == nil {
		source = func(string, string) error {
			return field.Errorf(field.NonField, field.CodeInvalid, "Blueprints cannot be kept here.")
		}
	}
	o := &object{catalog: c, kind: catalog.KindBlueprint, model: "authentik_blueprints.blueprintinstance",
		extras: []extra{computed(func(_ View, o *catalog.Object) blueprintMembers { return blueprintMembers{o.ID} })},
		search: []string{"name", "path"}}
	o.filters = filtersOf(o.Fields(), "name", "path")
	// Package api creates and changes them, since it applies them too.
	k := o.declare(Kind{Path: "managed/blueprints", Param: "instance_uuid", Key: "pk", Schema: "BlueprintInstance", Tag: "managed",
		Calls: AllCalls &^ (Create | Change)})
	k.Objects = blueprints{o, source}
	return k
}

// blueprints are blueprint instances. Each remembers who said what it applies:
// whoever makes it be applied later, nobody else's authority is lent to that
// text (rule 46). A trial when it is written could not promise as much, because
// what a blueprint does depends on what there is when it runs.
type blueprints struct {
	*object
	source BlueprintSource
}

// Create implements Objects.
func (k blueprints) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	b := system.NewBlueprint()
	if _, errs := field.Decode(&b, data, field.Create); errs == nil {
		if err := k.source(b.Path, b.Content); err != nil {
			return nil, nil, err
		}
	}
	ref, unknown, err := k.object.Create(ctx, w, pk, data)
	if err != nil {
		return nil, unknown, err
	}
	return ref, unknown, k.sign(w, ref)
}

// Update implements Objects.
func (k blueprints) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	if err := k.checkSource(w, ref, data, mode); err != nil {
		return nil, nil, err
	}
	changed, unknown, err = k.object.Update(ctx, w, ref, data, mode)
	if err == nil && system.GivesSource(data) {
		err = k.sign(w, ref)
	}
	return changed, unknown, err
}

// Check implements Objects.
func (k blueprints) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	if err := k.checkSource(w, ref, data, field.Update); err != nil {
		return err
	}
	return k.object.Check(ctx, w, ref, data)
}

// checkSource looks at a source that differs from the stored one. A file that
// has vanished must not keep its blueprint from being switched off.
func (k blueprints) checkSource(w *Write, ref *Ref, data map[string]any, mode field.Mode) error {
	o, err := k.get(w.Snapshot(), ref)
	if err != nil {
		return err
	}
	old := o.Doc.(*system.Blueprint)
	next := *old
	if _, errs := field.Decode(&next, data, mode); errs != nil || next.Path == old.Path && next.Content == old.Content {
		return nil // Update itself says what is wrong
	}
	return k.source(next.Path, next.Content)
}

// sign notes who is behind the source.
func (k blueprints) sign(w *Write, ref *Ref) error {
	authors := []any{}
	for _, p := range w.Authorities() {
		if !slices.Contains(authors, any(p.ID)) {
			authors = append(authors, p.ID)
		}
	}
	o, err := k.get(w.Snapshot(), ref)
	if err != nil {
		return err
	}
	after, _, err := w.Edit(o.ID, map[string]any{"authors": authors}, field.Internal)
	if err != nil {
		return err
	}
	*ref = *k.ref(w.Snapshot(), after)
	return nil
}
