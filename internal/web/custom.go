package web

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// The bounds of an administrator's own files, in bytes but for the last.
const (
	maxCustomFile  = 1 << 20
	maxCustomTotal = 16 << 20
	maxCustomFiles = 500
)

// custom is what an administrator changes about the pages, read and checked
// once, at start. docs/pages.md tells people how.
type custom struct {
	// templates are the files templates/<name>.html by name. The name is that
	// of a page, or "layout" for what all pages share.
	templates map[string]string
	// style are rules over the built-in ones, below those of a brand.
	style string
	// texts are the files locales/<language>.yaml by name.
	texts map[string][]byte
	// mails are the files templates/email/<name>.html and .txt by the name that
	// follows templates/; package mail reads them.
	mails map[string]string
	// pictures are the files below static/ by the address that they get.
	pictures map[string]asset
}

// pictureKinds are the media types of own files. There are no scripts among
// them, and fonts would not be loaded by any page.
var pictureKinds = map[string]string{".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".webp": "image/webp", ".avif": "image/avif", ".gif": "image/gif", ".ico": "image/x-icon"}

// readCustom reads the folder; nil for none. Every file has to have a meaning,
// so that a misspelt name is not silently left out; names with a dot in front
// are skipped. The error joins the problems of all files.
func readCustom(folder fs.FS) (*custom, error) {
	c := &custom{templates: map[string]string{}, mails: map[string]string{}, texts: map[string][]byte{}, pictures: map[string]asset{}}
	if folder == nil {
		return c, nil
	}
	var problems []error
	total, files := 0, 0
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		data, err := readBounded(folder, name)
		if total, files = total+len(data), files+1; total > maxCustomTotal || files > maxCustomFiles {
			return fmt.Errorf("more than %d files or %d bytes", maxCustomFiles, maxCustomTotal)
		}
		if err == nil {
			err = c.take(name, data)
		}
		if err != nil {
			problems = append(problems, err)
		}
		return nil
	})
	return c, errors.Join(append(problems, err)...)
}

func readBounded(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", name)
	case info.Size() > maxCustomFile:
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxCustomFile)
	}
	return fs.ReadFile(folder, name)
}

// take files one file under what it changes.
func (c *custom) take(name string, data []byte) error {
	folder, file := path.Split(name)
	ext := path.Ext(file)
	stem := strings.TrimSuffix(file, ext)
	switch {
	case name == "style.css":
		c.style = string(data)
		return checkStyle(name, c.style)
	case folder == "templates/" && ext == ".html":
		c.templates[stem] = string(data)
		return checkTemplate(name, c.templates[stem])
	case folder == "templates/email/" && (ext == ".html" || ext == ".txt"):
		c.mails["email/"+file] = string(data)
	case folder == "locales/" && ext == ".yaml":
		c.texts[name] = data
	case strings.HasPrefix(name, "static/") && pictureKinds[ext] != "":
		c.pictures["/static/own/"+strings.TrimPrefix(name, "static/")] = newAsset(pictureKinds[ext], data)
	default:
		return fmt.Errorf("%s: nothing uses this file", name)
	}
	return nil
}

// inline is what a page may not contain: its policy makes browsers refuse it.
var inline = regexp.MustCompile(`(?i)<style\b|\sstyle\s*=|<script\b|\son[a-z]+\s*=\s*["']|javascript:`)

func checkTemplate(name, text string) error {
	if bad := inline.FindStringIndex(text); bad != nil {
		return fmt.Errorf("%s:%d: %q is refused by the policy of the pages; use style.css", name, lineOf(text, bad[0]), strings.TrimSpace(text[bad[0]:bad[1]]))
	}
	return nil
}

// styleParts are comments, strings and what else matters to the nesting.
var styleParts = regexp.MustCompile(`(?s)/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|/\*|["'{}]|@(?i:import|charset)\b`)

// checkStyle refuses rules that would not stay in the layer that holds them.
func checkStyle(name, text string) error {
	if len(text) > maxCustomCSS {
		return fmt.Errorf("%s: larger than %d bytes", name, maxCustomCSS)
	}
	var open []int
	for _, at := range styleParts.FindAllStringIndex(text, -1) {
		problem := ""
		switch part := text[at[0]:at[1]]; {
		case part == "{":
			open = append(open, at[0])
		case part == "}" && len(open) > 0:
			open = open[:len(open)-1]
		case part == "}":
			problem = "a bracket closes that was not opened"
		case part == "/*" || part == `"` || part == "'":
			problem = part + " is not closed"
		case part[0] == '@':
			problem = part + " is not possible here"
		}
		if problem != "" {
			return fmt.Errorf("%s:%d: %s", name, lineOf(text, at[0]), problem)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%s:%d: the bracket is not closed", name, lineOf(text, open[len(open)-1]))
	}
	return nil
}

func lineOf(text string, at int) int { return strings.Count(text[:at], "\n") + 1 }
