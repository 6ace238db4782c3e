package eventmatcher

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/event"
)

// condition is a part of a query that holds for an event or does not.
type condition interface {
	holds(e *event.Recorded) bool
}

type both struct{ a, b condition }

func (c both) holds(e *event.Recorded) bool { return c.a.holds(e) && c.b.holds(e) }

type either struct{ a, b condition }

func (c either) holds(e *event.Recorded) bool { return c.a.holds(e) || c.b.holds(e) }

// parse reads a query: comparisons of fields with values, joined by and, or and
// parentheses; and binds tighter.
//
//	action = "login_failed" and (client_ip startswith "10." or context.model.pk in ("a", "b"))
//
// The fields are those of events; user, context and brand are objects, whose
// members follow behind dots. The operators are = != < <= > >= (texts exactly,
// created and expires as times), ~ and !~ (the text is or is not in there),
// startswith, endswith, in and not in a list; not may stand before the words.
// ~, startswith and endswith take no notice of case. Values are texts in quotes,
// numbers, True, False and None, which missing members are equal to. A problem is
// a field.Errors with its place.
func parse(query string) (condition, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{query: query, tokens: tokens}
	c, err := p.or(0)
	if err == nil && p.peek().kind != end {
		err = p.fault("Join comparisons by and or or.")
	}
	return c, err
}

type parser struct {
	query  string
	tokens []token
	at     int
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take goes on if the next token is as wanted; no text wants any of the kind.
func (p *parser) take(kind tokenKind, texts ...string) (token, bool) {
	t := p.peek()
	if t.kind != kind || len(texts) > 0 && !slices.Contains(texts, t.text) {
		return t, false
	}
	p.at++
	return t, true
}

func (p *parser) fault(format string, args ...any) error {
	return syntax(p.query, p.peek().at, format, args...)
}

func (p *parser) or(depth int) (condition, error) {
	return p.joined("or", func() (condition, error) {
		return p.joined("and", func() (condition, error) { return p.one(depth) }, func(a, b condition) condition { return both{a, b} })
	}, func(a, b condition) condition { return either{a, b} })
}

func (p *parser) joined(by string, part func() (condition, error), join func(a, b condition) condition) (condition, error) {
	c, err := part()
	for err == nil {
		if _, ok := p.take(keyword, by); !ok {
			break
		}
		var next condition
		if next, err = part(); err == nil {
			c = join(c, next)
		}
	}
	return c, err
}

func (p *parser) one(depth int) (condition, error) {
	if _, ok := p.take(punctuation, "("); !ok {
		return p.comparison()
	}
	if depth >= maxDepth {
		return nil, p.fault("Nest parentheses at most %d deep.", maxDepth)
	}
	c, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	if _, ok := p.take(punctuation, ")"); !ok {
		return nil, p.fault("Close the parenthesis.")
	}
	return c, nil
}

// fields are those of events; objects have members.
var (
	fields  = []string{"action", "app", "client_ip", "created", "event_uuid", "expires", "pk"}
	objects = []string{"brand", "context", "user"}
)

func (p *parser) comparison() (condition, error) {
	named, ok := p.take(name)
	if !ok {
		return nil, p.fault("Name a field: %s, or a member of %s.", strings.Join(fields, ", "), strings.Join(objects, ", "))
	}
	c := &comparison{path: strings.Split(named.text, ".")}
	switch object := slices.Contains(objects, c.path[0]); {
	case slices.Contains(c.path, ""):
		return nil, syntax(p.query, named.at, "Name the member behind each dot of %s.", named.text)
	case object && len(c.path) == 1:
		return nil, syntax(p.query, named.at, "Name a member of %[1]s, such as %[1]s.pk.", named.text)
	case !object && (len(c.path) > 1 || !slices.Contains(fields, named.text)):
		return nil, syntax(p.query, named.at, "Events have no field %s; name one of %s, or a member of %s.", named.text, strings.Join(fields, ", "), strings.Join(objects, ", "))
	}
	if t, ok := p.take(operator); ok {
		c.operator, c.negated = strings.TrimPrefix(t.text, "!"), strings.HasPrefix(t.text, "!")
	} else {
		_, c.negated = p.take(keyword, "not")
		t, ok := p.take(keyword, "in", "startswith", "endswith")
		if !ok {
			return nil, p.fault("Compare %s by one of = != < <= > >= ~ !~ in startswith endswith.", named.text)
		}
		c.operator = t.text
	}
	if c.operator == "in" {
		return c, p.list(c)
	}
	return c, p.value(c)
}

func (p *parser) list(c *comparison) error {
	if _, ok := p.take(punctuation, "("); !ok {
		return p.fault("Write a list in parentheses, such as (\"a\", \"b\").")
	}
	for {
		if err := p.value(c); err != nil {
			return err
		}
		if _, ok := p.take(punctuation, ","); !ok {
			break
		}
	}
	if _, ok := p.take(punctuation, ")"); !ok {
		return p.fault("Close the list.")
	}
	return nil
}

func (p *parser) value(c *comparison) error {
	t, ok := p.take(literal)
	if !ok {
		return p.fault("Write a text in quotes, a number, True, False or None.")
	}
	v := t.value
	switch c.operator {
	case "~", "startswith", "endswith":
		s, ok := v.(string)
		if !ok {
			return syntax(p.query, t.at, "Write a text in quotes.")
		}
		v = strings.ToLower(s)
	}
	if c.path[0] == "created" || c.path[0] == "expires" {
		if s, ok := v.(string); ok && c.operator != "~" && !strings.HasSuffix(c.operator, "with") {
			at, ok := moment(s)
			if !ok {
				return syntax(p.query, t.at, "Write a time such as \"2030-01-31\" or \"2030-01-31 12:00\".")
			}
			v = at
		}
	}
	c.values = append(c.values, v)
	return nil
}

// moment reads a time; without a zone it is in UTC.
func moment(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
