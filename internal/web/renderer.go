package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
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
	// pages are parsed and escaped at start for English, which proves them for
	// all, and for another language when somebody first reads it: a language
	// costs about 1.5 MB of memory.
	pages map[language.Tag]func() (pages, error)
}

// pages are the template sets of one language by the name of the page.
type pages map[string]*template.Template

// newRenderer parses the built-in pages and those of the stage types.
func newRenderer(c *catalog, icons string, stages []fs.FS) (*renderer, error) {
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
	r := &renderer{pages: map[language.Tag]func() (pages, error){}}
	for _, tag := range c.tags {
		r.pages[tag] = sync.OnceValues(func() (pages, error) { return parsePages(files, icons, c.texts[tag]) })
	}
	if _, err := r.pages[language.English](); err != nil {
		return nil, err
	}
	return r, nil
}

func parsePages(files map[string]string, icons string, texts *texts) (pages, error) {
	base, err := template.New("base").Funcs(texts.funcs(icons)).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	all := pages{}
	for name, text := range files {
		if all[name], err = parsePage(base, name, text, texts); err != nil {
			return nil, err
		}
	}
	return all, nil
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

func parsePage(base *template.Template, name, text string, texts *texts) (*template.Template, error) {
	t, err := base.Clone()
	if err != nil {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	if t, err = t.Parse(text); err != nil {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	for _, part := range t.Templates() {
		if part.Tree == nil {
			continue
		}
		for id := range usedTexts(part.Tree.Root, nil) {
			if !texts.has(id) {
				return nil, fmt.Errorf("page %q uses text %q, which does not exist", name, id)
			}
		}
	}
	// The escaper runs with the first execution. What it cannot make safe is
	// an error of the template; that a page without content fails is not.
	var unsafe *template.Error
	if err := t.ExecuteTemplate(io.Discard, "page", nil); errors.As(err, &unsafe) {
		return nil, fmt.Errorf("page %q: %w", name, err)
	}
	return t, nil
}

// usedTexts collects the constant ids that a template hands to t.
func usedTexts(n parse.Node, found map[string]bool) map[string]bool {
	if found == nil {
		found = map[string]bool{}
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
				found[id.Text] = true
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
	english, err := r.pages[language.English]()
	return err == nil && english[name] != nil
}

// render returns the whole page, so that a failure never leaves half of one.
func (r *renderer) render(tag language.Tag, texts *texts, name string, p *Page) ([]byte, error) {
	all, err := r.pages[tag]()
	if err != nil {
		return nil, err
	}
	t := all[name]
	if t == nil {
		return nil, fmt.Errorf("no page %q", name)
	}
	p.Lang, p.Dir = tag.String(), direction(tag)
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
