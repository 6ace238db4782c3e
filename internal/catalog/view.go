package catalog

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/system"
	"github.com/weir-id/weir/policy"
)

// Flow returns a flow by id.
func (s *Snapshot) Flow(id uuid.UUID) (*flow.Flow, bool) { return doc[*flow.Flow](s, id) }

// ConfigureFlow returns the flow in which people set up what a stage asks for,
// false where the stage names none.
func (s *Snapshot) ConfigureFlow(stage *Object) (*flow.Flow, bool) {
	v, _ := s.Value(stage, "configure_flow")
	text, _ := v.(string)
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, false
	}
	return s.Flow(id)
}

// FlowBySlug returns a flow by slug.
func (s *Snapshot) FlowBySlug(slug string) (*flow.Flow, bool) {
	k := s.catalog.registry.byName[KindFlow]
	id, ok := s.uniques.get(uniqueKey(k, []string{"slug"}, []any{slug}))
	if !ok {
		return nil, false
	}
	return s.Flow(id)
}

// FlowsFor returns the flows of a designation by slug.
func (s *Snapshot) FlowsFor(d flow.Designation) []*flow.Flow {
	return docs[*flow.Flow](s, KindFlow, "designation:"+string(d))
}

// Bindings returns the bindings of a flow by order, then creation.
func (s *Snapshot) Bindings(flowID uuid.UUID) []*flow.Binding {
	return bound[*flow.Binding](s, KindBinding, flowID)
}

// Binding returns a stage binding by id.
func (s *Snapshot) Binding(id uuid.UUID) (*flow.Binding, bool) { return doc[*flow.Binding](s, id) }

// Stage returns a stage by id.
func (s *Snapshot) Stage(id uuid.UUID) (*flow.StageObject, bool) {
	if id == unusable {
		return unusableStage, true
	}
	return doc[*flow.StageObject](s, id)
}

// StageType returns a stage type by name.
func (s *Snapshot) StageType(name string) (*flow.StageType, bool) {
	t, ok := s.catalog.registry.stages[name]
	return t, ok
}

// PolicyBindings returns the bindings of a target by order, then creation.
func (s *Snapshot) PolicyBindings(target uuid.UUID) []*policy.Binding {
	return bound[*policy.Binding](s, KindPolicyBinding, target)
}

// Policy returns a policy by id.
func (s *Snapshot) Policy(id uuid.UUID) (*policy.Object, bool) { return doc[*policy.Object](s, id) }

// PinnedBinding returns a version of a binding; an error when the binding has
// been deleted.
func (s *Snapshot) PinnedBinding(ctx context.Context, id uuid.UUID, version int64) (*flow.Binding, error) {
	return pinned[*flow.Binding](ctx, s, id, version)
}

// PinnedStage returns a version of a stage; an error when the stage has been
// deleted.
func (s *Snapshot) PinnedStage(ctx context.Context, id uuid.UUID, version int64) (*flow.StageObject, error) {
	if id == unusable {
		return unusableStage, nil
	}
	return pinned[*flow.StageObject](ctx, s, id, version)
}

func pinned[T any](ctx context.Context, s *Snapshot, id uuid.UUID, version int64) (T, error) {
	var zero T
	o, ok := s.objects.get(id)
	if !ok {
		return zero, fmt.Errorf("object %s has been deleted", id)
	}
	if o.Version != version {
		old, err := s.catalog.version(ctx, id, version)
		if err != nil {
			return zero, err
		}
		if old.order != o.order {
			// Another object took the id after the deletion.
			return zero, fmt.Errorf("object %s has been deleted and made anew since version %d", id, version)
		}
		o = old
	}
	d, ok := usable[T](o)
	if !ok {
		return zero, fmt.Errorf("object %s is a %s", id, o.Kind)
	}
	return d, nil
}

// Application returns an application by id.
func (s *Snapshot) Application(id uuid.UUID) (*flow.Application, bool) {
	return doc[*flow.Application](s, id)
}

// defaultSettings are in force until somebody stores others.
var defaultSettings = func() *system.Settings {
	d := system.NewSettings()
	return &d
}()

// Settings are the system settings. They are the defaults where the stored ones
// cannot be read.
func (s *Snapshot) Settings() *system.Settings {
	if stored := docs[*system.Settings](s, KindSettings, ""); len(stored) > 0 {
		return stored[0]
	}
	return defaultSettings
}

// fallbackBrand is what a site looks like before anybody made a brand.
var fallbackBrand = func() *flow.Brand {
	b := flow.NewBrand()
	b.Domain = "fallback"
	return &b
}()

// BrandFor returns the brand with the longest domain that is the host or a
// parent of it, else the default brand, else a built-in one.
func (s *Snapshot) BrandFor(host string) *flow.Brand {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for name := strings.ToLower(strings.TrimSuffix(host, ".")); name != ""; {
		if found := docs[*flow.Brand](s, KindBrand, "domain:"+name); len(found) > 0 {
			return found[0]
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			break
		}
		name = parent
	}
	if found := docs[*flow.Brand](s, KindBrand, "default"); len(found) > 0 {
		return found[0]
	}
	return fallbackBrand
}
