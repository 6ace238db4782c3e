package blueprint

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// ordered is a mapping whose keys keep their order.
type ordered []pair

type pair struct {
	name  string
	value any
}

// tagged is a value with a tag of blueprints: a word, or a list in one line.
type tagged struct {
	tag   string
	value any
}

// commented is a value with a comment above it.
type commented struct {
	head  string
	value any
}

// encodeYAML writes a JSON-like value as YAML that readers of version 1.1 and
// 1.2 understand alike: keys in alphabetical order, one value to a line, no
// tags and no aliases.
func encodeYAML(v any) ([]byte, error) {
	root, err := yamlNode(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), nil
}

func yamlNode(v any) (*yaml.Node, error) {
	scalar := func(tag, text string) (*yaml.Node, error) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}, nil
	}
	switch v := v.(type) {
	case nil:
		return scalar("!!null", "null")
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case int64:
		return scalar("!!int", strconv.FormatInt(v, 10))
	case uint64:
		return scalar("!!int", strconv.FormatUint(v, 10))
	case float64:
		// In YAML 1.1 only a point makes a number a fraction.
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return scalar("!!float", text)
	case string:
		return textNode(v), nil
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, item := range v {
			c, err := yamlNode(item)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		return n, nil
	case ordered:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, m := range v {
			c, err := yamlNode(m.value)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, textNode(m.name), c)
		}
		return n, nil
	case tagged:
		n, err := yamlNode(v.value)
		if err == nil {
			n.Tag, n.Style = v.tag, n.Style|yaml.TaggedStyle
			flowStyle(n)
		}
		return n, err
	case commented:
		n, err := yamlNode(v.value)
		if err == nil && v.head != "" {
			n.HeadComment = v.head
		}
		return n, err
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c, err := yamlNode(v[key])
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, textNode(key), c)
		}
		return n, nil
	}
	return nil, fmt.Errorf("write YAML: a value of type %T has no form there", v)
}

// textNode quotes a text where a reader would take it for something else, and
// writes one of several lines as a block if it survives that.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	read, err := plain(text)
	switch {
	case blockable(text):
		n.Style = yaml.LiteralStyle
	case strings.ContainsFunc(text, awkward):
		n.Style = yaml.DoubleQuotedStyle
	case err != nil || read != any(text) || text == "=" || text == "<<":
		n.Style = yaml.SingleQuotedStyle
	}
	return n
}

// awkward characters are not themselves, or break a line, for some reader.
func awkward(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }

// blockable tells whether a text has several lines and is the same after it was
// written as such: the first line shows the indentation, and blanks and empty
// lines at the ends are easily lost.
func blockable(text string) bool {
	if !strings.Contains(text, "\n") || strings.HasPrefix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		return false
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimRight(line, " \t") != line || strings.ContainsFunc(line, func(c rune) bool { return c != '\t' && awkward(c) }) {
			return false
		}
	}
	return strings.TrimLeft(text, " \t") == text
}

// flowStyle writes lists into one line.
func flowStyle(n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		n.Style |= yaml.FlowStyle
	}
	for _, c := range n.Content {
		flowStyle(c)
	}
}
