package blueprint

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The labels that say how a program should treat a blueprint.
const (
	// LabelInstantiate with the value "false", in any letter case, keeps
	// discovery from applying the file; it can still be applied by hand.
	LabelInstantiate = "blueprints.goauthentik.io/instantiate"
	// LabelDescription is a text for people.
	LabelDescription = "blueprints.goauthentik.io/description"
)

// File is a blueprint as text.
type File struct {
	// Name stands in messages; it is usually the path. A blueprint that is
	// applied by path is looked up under it.
	Name string
	// Data is YAML or JSON of at most MaxBytes.
	Data []byte
	// Upload marks a file that came over the network: it may not read files
	// (!File) or the environment (!Env) of the server.
	Upload bool
}

// Document is a loaded blueprint. It is never changed and can be applied many
// times.
type Document struct {
	// File is the name of the file it came from.
	File string
	// Name is the metadata name; empty when the file has no metadata.
	Name string
	// Labels are those of the metadata.
	Labels map[string]string
	// Warnings tells of misspelt keys and the like.
	Warnings []Warning

	upload bool
	// broken tells that what the entries mean cannot be known, because of
	// problems with the file itself.
	broken  bool
	context *mapping
	entries []*entry
}

// Models tells which entry writes which model, as far as the models are written
// as text.
func (d *Document) Models() []Place {
	var out []Place
	for _, e := range d.entries {
		if e.literalModel != "" && !strings.EqualFold(e.literalModel, metaApply) {
			place := e.place()
			place.File, place.Line, place.Column = d.File, e.line, e.column
			out = append(out, place)
		}
	}
	return out
}

// state says what an entry wants of its object.
type state string

const (
	present     state = "present"
	created     state = "created"
	mustCreated state = "must_created"
	absent      state = "absent"
)

var states = []string{string(present), string(created), string(mustCreated), string(absent)}

// entry is one object of a blueprint.
type entry struct {
	position
	number int
	id     string
	// literalModel is the model when it is written as text, else empty.
	literalModel string
	model        value
	state        value // nil means present
	conditions   *list
	identifiers  *mapping
	attrs        *mapping
	// bad tells that the entry has problems that were found when it was read.
	bad bool
	// defaults are attributes that only a new object gets, in old files.
	defaults    *mapping
	permissions []permission
}

// place names the entry.
func (e *entry) place() Place { return Place{Entry: e.number, ID: e.id, Model: e.literalModel} }

// permission grants a codename on the entry's object; user and role may be nil.
type permission struct {
	position
	permission, user, role value
}

// Load reads a blueprint. The error is an Errors with everything that is wrong
// with the file. An empty file is an empty blueprint.
func Load(file File) (*Document, error) {
	d, errs := load(file)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// load reads a blueprint as far as it can be understood.
func load(file File) (*Document, Errors) {
	r := &reader{file: file.Name, ids: map[string]int{}, inMetadata: map[*Error]bool{}}
	d := &Document{File: file.Name, Labels: map[string]string{}, upload: file.Upload}
	if root := r.parse(file.Data); root != nil {
		r.document(d, root)
		r.convert(d)
	}
	slices.SortStableFunc(r.warnings, func(a, b Warning) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	d.Warnings = r.warnings
	d.broken = r.full || len(r.errs) > 0 && len(d.entries) == 0
	for _, problem := range r.errs {
		for _, e := range d.entries {
			e.bad = e.bad || e.number == problem.Entry
		}
		d.broken = d.broken || problem.Entry == 0 && !r.inMetadata[problem]
	}
	return d, r.errs
}

func (r *reader) document(d *Document, root *yaml.Node) {
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return
	}
	// Problems within have been noted by value, each at its place.
	m, ok := r.value(root, 0).(*mapping)
	if !ok {
		if len(r.errs) == 0 {
			r.fail(at(root), "a blueprint is a mapping with the keys version, metadata, context and entries")
		}
		return
	}
	for _, member := range m.members {
		switch member.key {
		case "version":
			if n, ok := member.value.(*scalar); !ok || n.v != int64(1) {
				r.fail(member.value.at(), "the version must be the number 1")
			}
		case "metadata":
			before := len(r.errs)
			r.metadata(d, member.value)
			for _, problem := range r.errs[before:] {
				r.inMetadata[problem] = true
			}
		case "context":
			d.context = r.wantMapping(member.value, "context")
		case "entries":
			r.entries(d, member.value)
		default:
			r.misspelt(member, "version", "metadata", "context", "entries")
		}
	}
	r.attribute(d, m)
}

// attribute names the entries of the problems and warnings that were found while the values
// were read, when it was not yet known which entry they belong to.
func (r *reader) attribute(d *Document, m *mapping) {
	var begin, end position
	for _, member := range m.members {
		if member.key == "entries" {
			begin, end = member.keyAt, position{}
		} else if begin.line > 0 && end.line == 0 {
			end = member.keyAt
		}
	}
	entryOf := func(p *Place) {
		at := position{p.Line, p.Column}
		if p.Entry > 0 || begin.line == 0 || at.before(begin) || end.line > 0 && !at.before(end) {
			return
		}
		for _, e := range d.entries {
			if !at.before(e.position) {
				p.Entry, p.ID, p.Model = e.number, e.id, e.literalModel
			}
		}
	}
	for _, problem := range r.errs {
		entryOf(&problem.Place)
	}
	for i := range r.warnings {
		entryOf(&r.warnings[i].Place)
	}
}

func (r *reader) metadata(d *Document, v value) {
	if isNull(v) {
		return
	}
	m := r.wantMapping(v, "metadata")
	if m == nil {
		return
	}
	var ok bool
	if name := m.get("name"); name == nil {
		r.fail(m.position, "metadata needs a name")
	} else if d.Name, ok = text(name); !ok {
		r.fail(name.at(), "the name must be text, not %s", describe(name))
	}
	labels := m.get("labels")
	if labels == nil || isNull(labels) {
		return
	}
	if l := r.wantMapping(labels, "labels"); l != nil {
		for _, label := range l.members {
			if d.Labels[label.key], ok = text(label.value); !ok {
				r.fail(label.value.at(), "the label %s must be text, not %s; put it in quotes", label.key, describe(label.value))
			}
		}
	}
}

// entries reads a list of entries, or a mapping of section names to lists.
func (r *reader) entries(d *Document, v value) {
	switch v := v.(type) {
	case *list:
		for _, item := range v.items {
			r.readEntry(d, item)
		}
	case *mapping:
		for _, section := range v.members {
			l, ok := section.value.(*list)
			if !ok {
				r.fail(section.value.at(), "the section %s must be a list of entries, not %s", section.key, describe(section.value))
				continue
			}
			for _, item := range l.items {
				r.readEntry(d, item)
			}
		}
	default:
		r.fail(v.at(), "entries must be a list, or a mapping of section names to lists, not %s", describe(v))
	}
}

func (r *reader) readEntry(d *Document, v value) {
	if len(d.entries) == maxEntries {
		if !r.full {
			r.fail(v.at(), "the document has more than %d entries", maxEntries)
		}
		r.full = true
		return
	}
	e := &entry{position: v.at(), number: len(d.entries) + 1}
	d.entries = append(d.entries, e)
	r.entry = Place{Entry: e.number}
	defer func() { r.entry = Place{} }()
	m, ok := v.(*mapping)
	if !ok {
		r.fail(v.at(), "an entry must be a mapping, not %s", describe(v))
		return
	}
	r.entry.ID, _ = text(m.get("id"))
	r.entry.Model, _ = text(m.get("model"))
	e.id, e.literalModel = r.entry.ID, r.entry.Model
	for _, member := range m.members {
		r.entryMember(e, member)
	}
	if e.model == nil {
		r.fail(e.position, "the entry has no model")
	}
}

func (r *reader) entryMember(e *entry, m member) {
	switch m.key {
	case "model":
		e.model = m.value
		if isTag(m.value) {
			return
		}
		if model, ok := text(m.value); !ok || strings.Count(model, ".") != 1 {
			r.fail(m.value.at(), "the model must be an app and a name with a dot between, such as authentik_flows.flow")
		}
	case "id":
		if _, ok := text(m.value); !ok && !isNull(m.value) {
			r.fail(m.value.at(), "the id must be text, not %s", describe(m.value))
			return
		}
		if first, double := r.ids[e.id]; double && e.id != "" {
			r.warn(m.value.at(), "the id %q is already that of entry %d, which !KeyOf will find", e.id, first)
			return
		}
		r.ids[e.id] = e.number
	case "state":
		e.state = m.value
		if word, ok := text(m.value); !isTag(m.value) && (!ok || !slices.Contains(states, word)) {
			r.fail(m.value.at(), "the state must be one of %s", strings.Join(states, ", "))
		}
	case "conditions":
		var ok bool
		if e.conditions, ok = m.value.(*list); !ok {
			r.fail(m.value.at(), "conditions must be a list, not %s", describe(m.value))
		}
	case "identifiers":
		e.identifiers = r.wantFields(m.value, "identifiers")
	case "attrs":
		if !isNull(m.value) {
			e.attrs = r.wantFields(m.value, "attrs")
		}
	case "permissions":
		r.permissions(e, m.value)
	case "_instance":
		// The first exports had it.
	default:
		r.misspelt(m, "model", "id", "state", "conditions", "identifiers", "attrs", "permissions")
	}
}

func (r *reader) permissions(e *entry, v value) {
	if isNull(v) {
		return
	}
	l, ok := v.(*list)
	if !ok {
		r.fail(v.at(), "permissions must be a list, not %s", describe(v))
		return
	}
	for _, item := range l.items {
		m := r.wantMapping(item, "a permission")
		if m == nil {
			continue
		}
		p := permission{m.position, m.get("permission"), m.get("user"), m.get("role")}
		if p.permission == nil {
			r.fail(item.at(), "a permission needs the key permission, such as view_flow")
			continue
		}
		for _, member := range m.members {
			if !slices.Contains([]string{"permission", "user", "role"}, member.key) {
				r.misspelt(member, "permission", "user", "role")
			}
		}
		e.permissions = append(e.permissions, p)
	}
}

func (r *reader) wantMapping(v value, what string) *mapping {
	m, ok := v.(*mapping)
	if !ok {
		r.fail(v.at(), "%s must be a mapping, not %s", what, describe(v))
	}
	return m
}

// wantFields reads a mapping whose keys are field names.
func (r *reader) wantFields(v value, what string) *mapping {
	m := r.wantMapping(v, what)
	if m == nil {
		return nil
	}
	for _, member := range m.members {
		if !member.isText {
			r.fail(member.keyAt, "the keys of %s must be text; put %s in quotes", what, member.key)
		}
	}
	return m
}

func isTag(v value) bool {
	switch v.(type) {
	case *scalar, *list, *mapping:
		return false
	}
	return true
}
