package blueprint

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// tag reads a node that carries one of the tags of the format. An unknown tag
// refuses the whole file, so that a file with a newer tag is never half
// applied.
func (r *reader) tag(n *yaml.Node, depth int) value {
	a := arguments{reader: r, position: at(n), name: n.ShortTag()}
	switch n.Kind {
	case yaml.ScalarNode:
		a.text, a.isText = n.Value, true
	case yaml.SequenceNode:
		before := len(r.errs)
		a.items = r.items(n, depth)
		if r.full || len(r.errs) > before {
			return nil
		}
	default:
		r.fail(at(n), "%s does not take a mapping", a.name)
		return nil
	}
	var v value
	switch a.name {
	case "!KeyOf":
		v = a.keyOf()
	case "!Find":
		v = a.find(false)
	case "!FindObject":
		v = a.find(true)
	case "!Context":
		v = a.context()
	case "!Env":
		v = a.env()
	case "!File":
		v = a.file()
	case "!ParseJSON":
		v = a.parseJSON()
	case "!Format":
		v = a.format()
	case "!If":
		v = a.choose()
	case "!Condition":
		v = a.condition()
	case "!Enumerate":
		v = a.enumerate()
	case "!Index":
		v = a.item(true)
	case "!Value":
		v = a.item(false)
	case "!AtIndex":
		v = a.atIndex()
	default:
		r.fail(at(n), "the tag %s is not known%s", a.name, meant(a.name, "!KeyOf", "!Find", "!FindObject", "!Context", "!Env", "!File", "!ParseJSON",
			"!Format", "!If", "!Condition", "!Enumerate", "!Index", "!Value", "!AtIndex"))
	}
	return v
}

// arguments are what stands behind a tag: one text or a list. Its methods, one
// for each tag, stand beside the tags; each returns nil after noting what is
// wrong.
type arguments struct {
	*reader
	position
	name   string
	isText bool
	text   string
	items  []value
}

// word returns the trimmed text of a tag that takes nothing else.
func (a arguments) word(what string) (string, bool) {
	if word := strings.TrimSpace(a.text); a.isText && word != "" {
		return word, true
	}
	a.fail(a.position, "%s takes %s: %s %s", a.name, what, a.name, strings.ReplaceAll(what, " ", "-"))
	return "", false
}

// wordOrPair reads "!Env NAME" and "!Env [NAME, default]". The fallback is nil
// when none is given.
func (a arguments) wordOrPair(what string) (name, fallback value, ok bool) {
	switch {
	case a.isText && strings.TrimSpace(a.text) != "":
		return &scalar{position: a.position, v: strings.TrimSpace(a.text)}, nil, true
	case len(a.items) == 2:
		return a.items[0], a.items[1], true
	}
	a.fail(a.position, "%s takes %s, or %s and a default in a list", a.name, what, what)
	return nil, nil, false
}

// wantText resolves v to text that is not empty.
func wantText(s *scope, v value, what string) (string, error) {
	resolved, err := s.resolve(v)
	if err != nil {
		return "", err
	}
	t, ok := resolved.(string)
	if !ok || t == "" {
		return "", s.fail(v.at(), "%s must be text, not %s", what, kindOf(resolved))
	}
	return t, nil
}

// orNull resolves a default that may be missing.
func orNull(s *scope, fallback value) (any, error) {
	if fallback == nil {
		return nil, nil
	}
	return s.resolve(fallback)
}

// kindOf names the kind of a resolved value for a message.
func kindOf(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return describe(&scalar{v: v})
}
