package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template/parse"

	"golang.org/x/text/language"
)

//go:embed templates
var templateFiles embed.FS

// renderer is the one place where pages become HTML. Each page has a template
// set of its own for each language: a template keeps its functions, and so its
// language, once it was executed.
type renderer struct {
	pages map[language.Tag]*pages
	// builtin are the pages without the administrator's own templates, for
	// when one of those fails with a value that it met; nil without own ones.
	builtin map[language.Tag]*pages
}

// pages are the template sets of one language by the name of the page. A set is
// made when somebody first reads its page: all of them take about 2 MB.
type pages struct {
	base  func() (*template.Template, error)
	parse func(name string) (*template.Template, error)
	sets  map[string]func() (*template.Template, error)
}

// newRenderer parses the built-in pages and those of the stage types. A template
// of own, by the name of a page, replaces the blocks that it defines; the one
// called "layout" does so for all pages.
func newRenderer(c *catalog, icons string, stages []fs.FS, own map[string]string) (*renderer, error) {
	files := map[string]string{}
	builtin, err := fs.Sub(templateFiles, "templates/pages")
	if err != nil {
		return nil, err
	}
	for _, from := range append([]fs.FS{builtin}, stages...) {
		if err := readPages(from, files); err != nil {
			return nil, err
		}
	}
	r := &renderer{pages: map[language.Tag]*pages{}}
	for _, tag := range c.tags {
		r.pages[tag] = newPages(files, own, icons, c.texts[tag])
	}
	if len(own) > 0 {
		r.builtin = map[language.Tag]*pages{}
		for _, tag := range c.tags {
			r.builtin[tag] = newPages(files, nil, icons, c.texts[tag])
		}
	}
	return r, r.pages[language.English].check(files, own)
}

func newPages(files, own map[string]string, icons string, texts *texts) *pages {
	p := &pages{sets: map[string]func() (*template.Template, error){}}
	p.base = sync.OnceValues(func() (*template.Template, error) {
		base, err := template.New("base").Funcs(texts.funcs(icons)).ParseFS(templateFiles, "templates/*.html")
		if err != nil {
			return nil, fmt.Errorf("parse layout: %w", err)
		}
		if layout := own[layoutName]; layout != "" {
			err = parseOwn(base, layoutName, layout)
		}
		return base, err
	})
	p.parse = func(name string) (*template.Template, error) {
		base, err := p.base()
		if err != nil {
			return nil, err
		}
		return parsePage(base, name, files[name], own[name], texts)
	}
	for name := range files {
		p.sets[name] = sync.OnceValues(func() (*template.Template, error) { return p.parse(name) })
	}
	return p
}

// check makes all pages and drops them again: English ones, which have all texts,
// prove those of the other languages. The error joins the problems of all files.
func (p *pages) check(files, own map[string]string) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, known := files[name]; !known && name != layoutName {
			problems = append(problems, fmt.Errorf("%s: there is no such page; there are: %s", ownFile(name), strings.Join(slices.Sorted(maps.Keys(files)), ", ")))
		}
	}
	if _, err := p.base(); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, err := p.parse(name); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// layoutName is the own template with what all pages share.
const layoutName = "layout"

// ownFile is how an administrator knows a template.
func ownFile(name string) string { return "templates/" + name + ".html" }

// parseOwn parses an administrator's template over what t has.
func parseOwn(t *template.Template, name, text string) error {
	part, err := t.New(ownFile(name)).Parse(text)
	if err != nil {
		return fmt.Errorf("own template: %w", err) // names file and line
	}
	if part.Tree != nil && !parse.IsEmptyTree(part.Tree.Root) {
		return fmt.Errorf("%s: text outside of {{define}} is not shown anywhere", ownFile(name))
	}
	return nil
}

// readPages collects "<name>.html" of one file system.
func readPages(from fs.FS, files map[string]string) error {
	if from == nil {
		return nil
	}
	names, err := fs.Glob(from, "*.html")
	if err != nil {
		return fmt.Errorf("list pages: %w", err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if _, twice := files[name]; twice {
			return fmt.Errorf("two pages are called %q", name)
		}
		data, err := fs.ReadFile(from, file)
		if err != nil {
			return fmt.Errorf("read page %q: %w", name, err)
		}
		files[name] = string(data)
	}
	return nil
}

func parsePage(base *template.Template, name, text, own string, texts *texts) (*template.Template, error) {
	t, err := base.Clone()
	if err != nil {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	if t, err = t.Parse(text); err != nil {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	if own != "" {
		if err := parseOwn(t, name, own); err != nil {
			return nil, err
		}
	}
	for _, part := range t.Templates() {
		if part.Tree == nil {
			continue
		}
		for id, node := range usedTexts(part.Tree.Root, nil) {
			if !texts.has(id) {
				place, _ := part.Tree.ErrorContext(node)
				return nil, fmt.Errorf("page %q uses text %q, which does not exist, at %s", name, id, place)
			}
		}
	}
	// The escaper runs with the first execution. What it cannot make safe is
	// an error of the template; that a page without content fails is not.
	var unsafe *template.Error
	if err := t.ExecuteTemplate(io.Discard, "page", nil); errors.As(err, &unsafe) {
		if own != "" {
			return nil, fmt.Errorf("%s: %w", ownFile(name), unsafe) // which names the line
		}
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	return t, nil
}

// usedTexts collects the constant ids that a template hands to t, and where.
func usedTexts(n parse.Node, found map[string]parse.Node) map[string]parse.Node {
	if found == nil {
		found = map[string]parse.Node{}
	}
	branch := func(b *parse.BranchNode) {
		usedTexts(b.Pipe, found)
		usedTexts(b.List, found)
		if b.ElseList != nil {
			usedTexts(b.ElseList, found)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			usedTexts(child, found)
		}
	case *parse.ActionNode:
		usedTexts(n.Pipe, found)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			usedTexts(n.Pipe, found)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			usedTexts(command, found)
		}
	case *parse.CommandNode:
		if len(n.Args) > 1 {
			name, isName := n.Args[0].(*parse.IdentifierNode)
			id, isText := n.Args[1].(*parse.StringNode)
			if isName && isText && name.Ident == "t" {
				found[id.Text] = id
			}
		}
		for _, arg := range n.Args {
			usedTexts(arg, found)
		}
	}
	return found
}

// has tells whether a page of that name exists.
func (r *renderer) has(name string) bool {
	return r.pages[language.English].sets[name] != nil
}

// render returns the whole page, so that a failure never leaves half of one. A
// page together with an error is the built-in one, after an own template failed:
// nobody is kept from signing in by that.
func (r *renderer) render(tag language.Tag, texts *texts, name string, p *Page) ([]byte, error) {
	p.Lang, p.Dir = tag.String(), direction(tag)
	page, err := execute(r.pages[tag], texts, name, p)
	if err == nil || r.builtin == nil {
		return page, err
	}
	p.summary, p.fields, p.focused = nil, nil, false
	page, also := execute(r.builtin[tag], texts, name, p)
	return page, errors.Join(err, also)
}

func execute(all *pages, texts *texts, name string, p *Page) ([]byte, error) {
	set := all.sets[name]
	if set == nil {
		return nil, fmt.Errorf("no page %q", name)
	}
	t, err := set()
	if err != nil {
		return nil, err
	}
	if len(p.Errors) > 0 {
		// The summary stands above the fields that it lists.
		if err := t.ExecuteTemplate(io.Discard, "content", p); err != nil {
			return nil, fmt.Errorf("page %q: %w", name, err)
		}
		p.summary = texts.summary(p.Errors, p.fields)
		p.fields, p.focused = nil, false
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", p); err != nil {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	return b.Bytes(), nil
}
