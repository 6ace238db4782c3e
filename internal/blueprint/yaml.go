package blueprint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a document may cost. The published files stay below a tenth of each.
const (
	// MaxBytes is the size of a file.
	MaxBytes = 1 << 20
	// maxDepth is how deep values may be nested, aliases followed.
	maxDepth = 64
	// maxValues is how many values a document may have once its aliases are
	// expanded.
	maxValues = 200_000
	// maxEntries is how many entries a document may have.
	maxEntries = 10_000
	// maxErrors is how many problems of one file are told before the reader
	// gives up.
	maxErrors = 50
	// maxWarnings is how many warnings are kept of one file, and of one call.
	maxWarnings = 200
)

// reader turns YAML nodes into values and collects what is wrong with them.
type reader struct {
	file string
	// plain allows no tags and leaves dates as text.
	plain    bool
	values   int
	full     bool
	errs     Errors
	warnings []Warning
	// entry is the place of the entry being read, zero outside of entries.
	entry Place
	// path are the keys of the mappings around the value being read.
	path []string
	// json tells that the file is JSON.
	json bool
	// lines are the lines of the file.
	lines [][]byte
	// ids are the numbers of the entries by their ids.
	ids map[string]int
	// inMetadata are the problems that do not touch the entries.
	inMetadata map[*Error]bool
}

// fail notes a problem at p.
func (r *reader) fail(p position, format string, args ...any) {
	if len(r.errs) >= maxErrors {
		r.full = true
		return
	}
	r.errs = append(r.errs, &Error{Place: r.place(p), Field: r.field(), Message: fmt.Sprintf(format, args...)})
}

// field is the name of the field whose value is being read, empty outside of
// the fields of an entry.
func (r *reader) field() string {
	for i, key := range r.path {
		if (key == "identifiers" || key == "attrs") && r.path[0] == "entries" && i > 0 && i+1 < len(r.path) {
			return r.path[i+1]
		}
	}
	return ""
}

func (r *reader) warn(p position, format string, args ...any) {
	if len(r.warnings) < maxWarnings {
		r.warnings = append(r.warnings, Warning{Place: r.place(p), Message: fmt.Sprintf(format, args...)})
	}
}

// converted warns that something is understood as what it is called today.
func (r *reader) converted(p position, format string, args ...any) {
	if len(r.warnings) < maxWarnings {
		r.warnings = append(r.warnings, Warning{Place: r.place(p), Message: "converted: " + fmt.Sprintf(format, args...), Converted: true})
	}
}

func (r *reader) place(p position) Place {
	place := r.entry
	place.File, place.Line, place.Column = r.file, p.line, p.column
	return place
}

var (
	yamlLine = regexp.MustCompile(`line (\d+)`)
	// The library counts the lines of these problems from 0.
	fromZero = regexp.MustCompile(`^(did not find expected (<|node content|'-' indicator|key|',' or)|found (duplicate %|incompatible YAML|undefined tag))`)
)

// parse reads the text of one YAML document, nil when it holds none.
func (r *reader) parse(data []byte) *yaml.Node {
	if len(data) > MaxBytes {
		r.fail(position{}, "the file has %d bytes, more than the %d allowed", len(data), MaxBytes)
		return nil
	}
	// YAML knows no tabs between tokens, JSON does. In valid JSON every tab is
	// between tokens.
	if r.json = json.Valid(data); r.json && bytes.ContainsRune(data, '\t') {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	r.lines = bytes.Split(data, []byte("\n"))
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = decoder.Decode(&more)
		if err == nil {
			r.fail(position{more.Line, more.Column}, "a file holds one document, but a second one begins here")
			return nil
		}
		if errors.Is(err, io.EOF) {
			return document.Content[0]
		}
	}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	at := position{line: firstUnreadable(data)}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		if message = strings.TrimPrefix(message, m[0]+": "); fromZero.MatchString(message) {
			// What is missing at the end is missing in the last line with text.
			at.line = min(at.line, bytes.Count(bytes.TrimRight(data, "\r\n "), []byte("\n"))) + 1
		}
	}
	r.fail(at, "this is not valid YAML: %s", message)
	return nil
}

// firstUnreadable is the line of the first character that no text has, which
// the library refuses without a line; else 1, the line that it leaves out.
func firstUnreadable(data []byte) int {
	line := 1
	for rest := data; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		switch {
		case c == '\n':
			line++
		case c == utf8.RuneError && size == 1, c < ' ' && c != '\t' && c != '\r', c == 0x7f:
			return line
		}
		rest = rest[size:]
	}
	return 1
}

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// value reads a node. It returns nil after a problem, which it has noted.
func (r *reader) value(n *yaml.Node, depth int) value {
	if r.full {
		return nil
	}
	if r.values++; r.values > maxValues {
		r.full = true
		r.fail(at(n), "the document has more than %d values once its aliases are expanded", maxValues)
		return nil
	}
	if depth > maxDepth {
		r.fail(at(n), "values are nested deeper than %d levels", maxDepth)
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return r.value(n.Alias, depth+1)
	}
	if tagged := n.Style&yaml.TaggedStyle != 0; tagged && !strings.HasPrefix(n.ShortTag(), "!!") {
		if r.plain {
			r.fail(at(n), "%s means something in blueprints alone; put the text in quotes", n.ShortTag())
			return nil
		}
		return r.tag(n, depth)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return r.scalar(n)
	case yaml.SequenceNode:
		return r.list(n, depth)
	case yaml.MappingNode:
		return r.mapping(n, depth)
	}
	r.fail(at(n), "this cannot be part of a blueprint")
	return nil
}

func (r *reader) scalar(n *yaml.Node) value {
	v, err := scalarOf(n)
	if err != nil {
		r.fail(at(n), "%v", err)
		return nil
	}
	if _, date := v.(time.Time); date && r.plain {
		v = n.Value
	}
	out := &scalar{position: at(n), v: v, block: n.Style&yaml.LiteralStyle != 0}
	if out.block {
		out.indent = r.indent(n)
	}
	return out
}

// indent is by how much the lines of a block are indented in the file.
func (r *reader) indent(n *yaml.Node) int {
	i := 0
	for line := range strings.Lines(n.Value) {
		if strings.TrimSpace(line) != "" && n.Line+i < len(r.lines) {
			inFile := r.lines[n.Line+i]
			return len(inFile) - len(bytes.TrimLeft(inFile, " ")) - (len(line) - len(strings.TrimLeft(line, " ")))
		}
		i++
	}
	return 0
}

// scalarOf reads a scalar with at most a standard tag such as !!str.
func scalarOf(n *yaml.Node) (any, error) {
	if n.Style&yaml.TaggedStyle == 0 {
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			return n.Value, nil
		}
		return plain(n.Value)
	}
	wanted := n.ShortTag()
	if wanted == "!!str" {
		return n.Value, nil
	}
	v, err := plain(n.Value)
	if err != nil {
		return nil, err
	}
	ok := false
	switch wanted {
	case "!!null":
		ok = v == nil
	case "!!bool":
		_, ok = v.(bool)
	case "!!int":
		_, ok = v.(int64)
	case "!!float":
		if i, isInt := v.(int64); isInt {
			v = float64(i)
		}
		_, ok = v.(float64)
	case "!!timestamp":
		v, ok, err = timestamp(n.Value)
	default:
		return nil, fmt.Errorf("the type %s is not known here", wanted)
	}
	if err == nil && !ok {
		err = fmt.Errorf("%q is not a %s", n.Value, strings.TrimPrefix(wanted, "!!"))
	}
	return v, err
}

func (r *reader) list(n *yaml.Node, depth int) value {
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!seq" {
		r.fail(at(n), "the type %s is not known here", n.ShortTag())
		return nil
	}
	return &list{at(n), r.items(n, depth)}
}

// items reads the items of a sequence, leaving out those with problems.
func (r *reader) items(n *yaml.Node, depth int) []value {
	out := make([]value, 0, len(n.Content))
	for _, item := range n.Content {
		if v := r.value(item, depth+1); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (r *reader) mapping(n *yaml.Node, depth int) value {
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!map" {
		r.fail(at(n), "the type %s is not known here", n.ShortTag())
		return nil
	}
	out := &mapping{position: at(n)}
	seen := map[string]position{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, item)
			continue
		}
		name, isText, ok := r.key(key)
		if !ok {
			continue
		}
		if first, double := seen[name]; double {
			r.fail(at(key), "the key %q is given twice; first in line %d", name, first.line)
			continue
		}
		seen[name] = at(key)
		r.path = append(r.path, name)
		if v := r.value(item, depth+1); v != nil {
			out.members = append(out.members, member{name, isText, at(key), v})
		}
		r.path = r.path[:len(r.path)-1]
	}
	for _, source := range merged {
		r.merge(out, seen, source, depth)
	}
	return out
}

// key reads a mapping key. A key that is no text becomes what it is in JSON.
func (r *reader) key(n *yaml.Node) (name string, isText, ok bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(n.ShortTag(), "!!") {
		r.fail(at(n), "a key must be text")
		return "", false, false
	}
	v, err := scalarOf(n)
	if err != nil {
		r.fail(at(n), "%v", err)
		return "", false, false
	}
	_, isText = v.(string)
	return keyText(v), isText, true
}

// merge adds the members of what stands behind "<<" that are not there yet.
func (r *reader) merge(out *mapping, seen map[string]position, source *yaml.Node, depth int) {
	v := r.value(source, depth+1)
	sources := []value{v}
	if l, ok := v.(*list); ok {
		sources = l.items
	}
	for _, one := range sources {
		if one == nil {
			continue
		}
		m, ok := one.(*mapping)
		if !ok {
			r.fail(at(source), "<< merges a mapping or a list of mappings, not %s", describe(one))
			continue
		}
		for _, member := range m.members {
			if _, there := seen[member.key]; !there {
				seen[member.key] = member.keyAt
				out.members = append(out.members, member)
			}
		}
	}
}
