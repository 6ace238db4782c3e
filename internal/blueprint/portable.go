package blueprint

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

// Portable returns flows as a blueprint that any installation can import: objects go
// by their names and refer to each other by tags, not by keys that only one
// installation knows. The file holds the flows, their bindings and policies, and all
// that their stages consist of, other stages included; flows, people and groups that
// are only mentioned are looked up by name where it is imported. A secret is replaced
// by a variable of the environment. The same objects give the same bytes.
//
// Without slugs it holds the whole configuration, which then includes the groups that
// it mentions. The errors are those of Flow.
func (x *Exporter) Portable(ctx context.Context, v resource.View, slugs ...string) ([]byte, error) {
	e := &portable{Exporter: x, ctx: ctx, view: v, ids: map[uuid.UUID]string{}, taken: map[string]bool{}, used: map[string]bool{}}
	title := "The whole configuration"
	if len(slugs) == 0 {
		e.whole = true
		e.selectAll()
	} else {
		if err := e.selectFlows(slugs); err != nil {
			return nil, err
		}
		title = "Flow " + strings.Join(slugs, ", ")
	}
	entries, err := e.entries()
	if err != nil {
		return nil, err
	}
	return encodeYAML(commented{head: "Written by weir export. " + e.explain(), value: ordered{
		{"version", int64(1)},
		{"metadata", ordered{{"name", title}, {"labels", ordered{{labelGenerated, "true"}}}}},
		{"entries", entries},
	}})
}

// portable is one such blueprint being made.
type portable struct {
	*Exporter
	ctx  context.Context
	view resource.View
	// whole tells that everything is exported.
	whole bool
	// objects are those to write, in order; ids are what their entries are called.
	objects []*catalog.Object
	ids     map[uuid.UUID]string
	taken   map[string]bool
	// written are the objects whose entries stand already; used are the ids that some
	// entry refers to.
	written map[uuid.UUID]bool
	used    map[string]bool
	// secrets tells that a secret was left out.
	secrets bool
}

// sections are the kinds in the order of the file, with what is said above each.
var sections = []struct{ kind, head string }{
	{catalog.KindFlow, "Flows"},
	{catalog.KindPrompt, "Fields of forms"},
	{catalog.KindWebhookMapping, "Mappings"},
	{catalog.KindPolicy, "Policies"},
	{catalog.KindStage, "Stages"},
	{catalog.KindBinding, "The stages of each flow"},
	{catalog.KindApplication, "Applications"},
	{catalog.KindBrand, "Brands"},
	{catalog.KindNotificationTransport, "Ways of notifications"},
	{catalog.KindNotificationRule, "Rules of notifications"},
	{catalog.KindPolicyBinding, "What the policies decide about"},
	{catalog.KindBlueprint, "Blueprints"},
}

// rank is the place of a kind in the file; one that is not listed comes first, so that
// others can refer to it.
func rank(kind string) int {
	for i, s := range sections {
		if s.kind == kind {
			return i
		}
	}
	return -1
}

// exportable tells whether files may hold objects of the kind.
func (e *portable) exportable(o *catalog.Object) (*resource.Kind, bool) {
	kind, err := e.Registry.Kind(e.Catalog.Model(o.Kind, o.Type))
	return kind, err == nil
}

func (e *portable) selectAll() {
	for _, kind := range e.Catalog.Kinds() {
		for _, o := range e.view.Config.Objects(kind) {
			if _, ok := e.exportable(o); ok {
				e.objects = append(e.objects, o)
			}
		}
	}
}

// selectFlows takes flows with all that they consist of.
func (e *portable) selectFlows(slugs []string) error {
	seen := map[uuid.UUID]bool{}
	var take func(o *catalog.Object)
	take = func(o *catalog.Object) {
		if seen[o.ID] {
			return
		}
		seen[o.ID] = true
		e.objects = append(e.objects, o)
		if o.Kind != catalog.KindStage && o.Kind != catalog.KindPolicy {
			return
		}
		for _, of := range e.mentions(o) {
			switch of.Kind {
			case catalog.KindFlow, catalog.KindApplication, catalog.KindBrand:
			default:
				take(of)
			}
		}
	}
	for _, slug := range slugs {
		f, ok := e.view.Config.FlowBySlug(slug)
		if !ok {
			return fmt.Errorf("export flow %q: %w", slug, flow.ErrNoFlow)
		}
		parts, err := e.collect(e.view, f.ID)
		if err != nil {
			return err
		}
		for _, p := range parts {
			o, err := whole(e.view, p.id)
			if err != nil {
				return err
			}
			take(o)
		}
	}
	return nil
}

// mentions are the configuration objects that an object refers to.
func (e *portable) mentions(o *catalog.Object) []*catalog.Object {
	var out []*catalog.Object
	for _, doc := range e.Catalog.Parts(o) {
		for _, ref := range field.References(doc) {
			id, err := uuid.Parse(ref.ID)
			if err != nil {
				continue // a user
			}
			if of, ok := e.view.Config.Get(id); ok {
				out = append(out, of)
			}
		}
	}
	return out
}

// arrange puts the objects into the order of the file: by kind and name, and each
// behind those that it refers to. Of objects that refer to each other in a circle the
// first in order comes first.
func (e *portable) arrange() {
	in := map[uuid.UUID]bool{}
	for _, o := range e.objects {
		in[o.ID] = true
	}
	name := map[uuid.UUID]string{}
	for _, o := range e.objects {
		name[o.ID] = e.view.Config.DisplayName(o)
	}
	slices.SortFunc(e.objects, func(a, b *catalog.Object) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Kind, b.Kind), e.compareOrder(a, b), cmp.Compare(name[a.ID], name[b.ID]), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	sorted, done := make([]*catalog.Object, 0, len(e.objects)), map[uuid.UUID]bool{}
	var put func(o *catalog.Object)
	put = func(o *catalog.Object) {
		if done[o.ID] || !in[o.ID] {
			return
		}
		done[o.ID] = true
		for _, of := range e.mentions(o) {
			put(of)
		}
		sorted = append(sorted, o)
	}
	for _, o := range e.objects {
		put(o)
	}
	e.objects = sorted
}

// compareOrder keeps the bindings of a flow or of a target together, in their order.
func (e *portable) compareOrder(a, b *catalog.Object) int {
	key := func(o *catalog.Object) (string, int64) {
		for _, doc := range e.Catalog.Parts(o) {
			target, _ := field.Get(doc, "target")
			order, ok := field.Get(doc, "order")
			n, isInt := order.(int64)
			if id, isText := target.(string); ok && isInt && isText {
				if of, err := uuid.Parse(id); err == nil {
					if t, ok := e.view.Config.Get(of); ok {
						return fmt.Sprintf("%02d %s", rank(t.Kind)+1, e.view.Config.DisplayName(t)), n
					}
				}
			}
		}
		return "", 0
	}
	at, an := key(a)
	bt, bn := key(b)
	return cmp.Or(cmp.Compare(at, bt), cmp.Compare(an, bn))
}

// entries are the objects as blueprint entries.
func (e *portable) entries() ([]any, error) {
	e.arrange()
	e.written = map[uuid.UUID]bool{}
	for _, o := range e.objects {
		e.ids[o.ID] = e.name(o)
	}
	groups, err := e.groups()
	if err != nil {
		return nil, err
	}
	entries := make([]ordered, 0, len(e.objects))
	for _, o := range e.objects {
		entry, err := e.entry(o)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
		e.written[o.ID] = true
	}
	out := groups
	for i, o := range e.objects {
		entry := entries[i]
		if id := e.ids[o.ID]; e.used[id] {
			entry = slices.Insert(entry, 1, pair{"id", id})
		}
		head := ""
		if i == 0 || e.objects[i-1].Kind != o.Kind {
			for _, s := range sections {
				if s.kind == o.Kind {
					head = s.head
				}
			}
		}
		out = append(out, commented{head: head, value: entry})
	}
	return out, nil
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// name makes an id for the entry of an object from what it is called.
func (e *portable) name(o *catalog.Object) string {
	base := o.Kind + "-" + strings.Trim(notWord.ReplaceAllString(strings.ToLower(e.view.Config.DisplayName(o)), "-"), "-")
	id := base
	for n := 2; e.taken[id]; n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	e.taken[id] = true
	return id
}
