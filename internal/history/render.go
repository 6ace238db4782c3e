package history

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/weir-id/weir/internal/catalog"
)

// The colours of a terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// Printer writes differences as text.
type Printer struct {
	io.Writer
	// Colour is for terminals.
	Colour bool
}

// Objects writes each object with its fields.
func (p *Printer) Objects(objects []Difference) error {
	for i := range objects {
		o := &objects[i]
		if err := p.line("", signColour(string(o.Op)), string(o.Op)+" "+o.Name); err != nil {
			return err
		}
		for j := range o.Fields {
			if err := p.field(&o.Fields[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func signColour(s string) string {
	switch {
	case strings.HasPrefix(s, "+"):
		return green
	case strings.HasPrefix(s, "-"):
		return red
	case strings.HasPrefix(s, "~"):
		return yellow
	case strings.HasPrefix(s, "@@"):
		return cyan
	}
	return ""
}

func (p *Printer) field(f *FieldDifference) error {
	const indent = "    "
	switch {
	case f.Secret && f.made:
		return p.line(indent, "", f.Name+": set, not shown")
	case f.Secret:
		return p.line(indent, "", f.Name+": changed, not shown")
	case len(f.Lines) > 0:
		if err := p.line(indent, "", f.Name+":"); err != nil {
			return err
		}
		for _, l := range f.Lines {
			if err := p.line(indent+"  ", signColour(l), l); err != nil {
				return err
			}
		}
		return nil
	case f.Old == nil && long(f.New):
		if err := p.line(indent, "", f.Name+":"); err != nil {
			return err
		}
		for _, l := range split(text(f.New)) {
			if err := p.line(indent+"  ", "", l); err != nil {
				return err
			}
		}
		return nil
	case f.Old == nil:
		return p.line(indent, "", f.Name+": "+f.value(f.New))
	}
	return p.line(indent, "", f.Name+": "+f.value(f.Old)+" -> "+f.value(f.New))
}

// value is a value in one line.
func (f *FieldDifference) value(v any) string {
	if s, ok := v.(string); ok && f.reference {
		return s
	}
	return compact(v)
}

func (p *Printer) line(indent, colour, s string) error {
	s = printable(s)
	if p.Colour && colour != "" {
		s = "\x1b[" + colour + "m" + s + "\x1b[0m"
	}
	_, err := fmt.Fprintln(p, indent+s)
	return err
}

// printable writes what is no letter, mark, number, sign or blank by its code: a
// name must not move the cursor of whoever reads it.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Revision writes a revision with the names of what it changed, at most limit.
func (p *Printer) Revision(r *Revision, limit int) error {
	head := fmt.Sprintf("revision %d  %s  %s (%s)", r.Number, r.Created.UTC().Format("2006-01-02 15:04:05"), r.Actor, r.Source)
	if err := p.line("", "", head); err != nil {
		return err
	}
	for i, c := range r.Changes {
		if i == limit {
			return p.line("  ", "", fmt.Sprintf("and %d more", len(r.Changes)-limit))
		}
		s := string(c.Op) + " " + c.Name
		if len(c.Fields) > 0 {
			s += " (" + strings.Join(c.Fields, ", ") + ")"
		}
		if err := p.line("  ", signColour(s), s); err != nil {
			return err
		}
	}
	return nil
}

// Summary counts what differs, in the words of what was or would be done.
func Summary(objects []Difference) string {
	n := map[catalog.Op]int{}
	for i := range objects {
		n[objects[i].Op]++
	}
	return fmt.Sprintf("%d created, %d changed, %d deleted", n[catalog.Created], n[catalog.Changed], n[catalog.Deleted])
}
