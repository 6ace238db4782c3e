package expression

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf16"

	"go.starlark.net/starlark"
)

// moduleJSON is module json.
func moduleJSON() *module {
	m := newModule("json", functions(map[string]fn{"loads": jsonLoads, "dumps": jsonDumps}))
	m.members["JSONDecodeError"] = excJSON
	return m
}

func jsonLoads(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	var s string
	switch v := v.(type) {
	case starlark.String:
		s = string(v)
	case starlark.Bytes:
		s = string(v)
	default:
		return nil, raise(excType, "the JSON object must be str, bytes or bytearray, not %s", kindOf(v))
	}
	if err := e.text(len(s)); err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	out, err := e.jsonValue(d)
	if err == nil && d.More() {
		err = raise(excJSON, "Extra data: char %d", d.InputOffset())
	}
	if err != nil && e.stopped() == nil {
		if x, ok := err.(*exception); ok {
			return nil, x
		}
		return nil, raise(excJSON, "Expecting value: char %d", d.InputOffset())
	}
	return out, err
}

// jsonValue reads one value and keeps the order of keys.
func (e *evaluation) jsonValue(d *json.Decoder) (starlark.Value, error) {
	e.nest()
	defer e.unnest()
	if err := e.elems(1); err != nil {
		return nil, err
	}
	if err := e.tick(); err != nil {
		return nil, err
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			var list []starlark.Value
			for d.More() {
				v, err := e.jsonValue(d)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return starlark.NewList(list), err
		}
		dict := starlark.NewDict(0)
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := e.jsonValue(d)
			if err != nil {
				return nil, err
			}
			if err := dict.SetKey(starlark.String(key.(string)), v); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return dict, err
	case json.Number:
		if len(t) > maxJSONNumber {
			return nil, e.limit("number too long")
		}
		if strings.ContainsAny(t.String(), ".eE") {
			f, err := t.Float64()
			return starlark.Float(f), err
		}
		return e.fromGo(t)
	}
	return e.fromGo(t)
}

// maxJSONNumber bounds numbers in digits.
const maxJSONNumber = 1000

func jsonDumps(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var indent, separators, fallback starlark.Value = starlark.None, starlark.None, starlark.None
	w := jsonWriter{e: e, ascii: true, item: ", ", colon: ": "}
	if err := c.take("obj", &v, "sort_keys?", &w.sorted, "indent?", &indent, "ensure_ascii?", &w.ascii,
		"separators?", &separators, "default?", &fallback); err != nil {
		return nil, err
	}
	w.fallback = fallback
	if n, ok := asInt(indent); ok {
		i, _ := n.Int64()
		w.indent, w.pretty, w.item = strings.Repeat(" ", int(min(max(i, 0), 16))), true, ","
	} else if s, ok := indent.(starlark.String); ok {
		w.indent, w.pretty, w.item = string(s[:min(len(s), 16)]), true, ","
	}
	if pair, ok := separators.(starlark.Tuple); ok && len(pair) == 2 {
		w.item, w.colon = str(pair[0]), str(pair[1])
	}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	return starlark.String(w.b.String()), e.text(w.b.Len())
}

type jsonWriter struct {
	e                     *evaluation
	b                     strings.Builder
	sorted, ascii, pretty bool
	indent, item, colon   string
	fallback              starlark.Value
}

func (w *jsonWriter) line(depth int) {
	if w.pretty {
		w.b.WriteByte('\n')
		w.b.WriteString(strings.Repeat(w.indent, depth))
	}
}

func (w *jsonWriter) write(v starlark.Value, depth int) error {
	if err := w.e.tick(); err != nil {
		return err
	}
	if int64(w.b.Len()) > w.e.limits.Bytes {
		return w.e.limit("too much text")
	}
	w.e.nest()
	defer w.e.unnest()
	switch v := v.(type) {
	case starlark.NoneType:
		w.b.WriteString("null")
	case starlark.Bool:
		w.b.WriteString(strings.ToLower(str(v)))
	case starlark.Int:
		w.b.WriteString(v.String())
	case starlark.Float:
		switch f := float64(v); {
		case math.IsNaN(f):
			w.b.WriteString("NaN")
		case math.IsInf(f, 0):
			w.b.WriteString(strings.Replace(floatText(f), "inf", "Infinity", 1))
		default:
			w.b.WriteString(floatText(f))
		}
	case starlark.String:
		w.quote(string(v))
	case *starlark.List:
		return w.list(listItems(v), depth)
	case starlark.Tuple:
		return w.list(v, depth)
	case *starlark.Dict:
		return w.dict(v, depth)
	default:
		if w.fallback == starlark.None {
			return raise(excType, "Object of type %s is not JSON serializable", kindOf(v))
		}
		out, err := w.e.call(w.fallback, v)
		if err != nil {
			return err
		}
		return w.write(out, depth+1)
	}
	return nil
}

func (w *jsonWriter) list(list []starlark.Value, depth int) error {
	w.b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.line(depth + 1)
		if err := w.write(v, depth+1); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		w.line(depth)
	}
	w.b.WriteByte(']')
	return nil
}

func (w *jsonWriter) dict(d *starlark.Dict, depth int) error {
	items := d.Items()
	if w.sorted {
		slices.SortStableFunc(items, func(a, b starlark.Tuple) int { return strings.Compare(str(a[0]), str(b[0])) })
	}
	w.b.WriteByte('{')
	for i, item := range items {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.line(depth + 1)
		switch key := item[0].(type) {
		case starlark.String:
			w.quote(string(key))
		case starlark.Bool, starlark.NoneType, starlark.Int, starlark.Float:
			inner := jsonWriter{e: w.e, fallback: starlark.None}
			if err := inner.write(key, 0); err != nil {
				return err
			}
			w.quote(inner.b.String())
		default:
			return raise(excType, "keys must be str, int, float, bool or None, not %s", kindOf(key))
		}
		w.b.WriteString(w.colon)
		if err := w.write(item[1], depth+1); err != nil {
			return err
		}
	}
	if len(items) > 0 {
		w.line(depth)
	}
	w.b.WriteByte('}')
	return nil
}

func (w *jsonWriter) quote(s string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	w.b.WriteByte('"')
	for _, r := range s {
		esc, ok := short[r]
		switch {
		case ok:
			w.b.WriteString(esc)
		case r < ' ' || w.ascii && r > 0x7e && r < 0x10000:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		case w.ascii && r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, hi, lo)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
