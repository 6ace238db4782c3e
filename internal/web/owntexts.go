package web

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
)

// textForms are the members that a text with plural forms may have.
var textForms = []string{"zero", "one", "two", "few", "many", "other", "description"}

// inserts are the placeholders of a text.
var inserts = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// addOwn puts an administrator's texts over the built-in ones. english holds
// the English texts by id and receives new ones. A file of another language
// adds that language; English fills in what it lacks.
func (c *catalog) addOwn(bundle *i18n.Bundle, own map[string][]byte, english map[string]string) error {
	names := slices.Sorted(maps.Keys(own))
	// English first: it is where texts of a new id come from.
	slices.SortStableFunc(names, func(a, b string) int { return isEnglish(b) - isEnglish(a) })
	var problems []error
	for _, name := range names {
		tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".yaml"))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: the name is no language: %w", name, err))
			continue
		}
		if err := checkTexts(name, tag, own[name], english); err != nil {
			problems = append(problems, err)
			continue
		}
		if _, err := bundle.ParseMessageFileBytes(own[name], name); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		if !slices.Contains(c.tags, tag) {
			c.tags = append(c.tags, tag)
		}
	}
	return errors.Join(problems...)
}

func isEnglish(name string) int {
	if path.Base(name) == "en.yaml" {
		return 1
	}
	return 0
}

// checkTexts refuses ids that no page uses and placeholders that nobody fills
// in, with the line.
func checkTexts(name string, tag language.Tag, data []byte, english map[string]string) error {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(document.Content) == 0 {
		return nil
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: must be texts by id", name, top.Line)
	}
	var problems []error
	problem := func(n *yaml.Node, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s:%d: %s", name, n.Line, fmt.Sprintf(format, args...)))
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		id, v := top.Content[i], top.Content[i+1]
		forms := []*yaml.Node{v}
		if v.Kind == yaml.MappingNode {
			forms = nil
			for j := 0; j+1 < len(v.Content); j += 2 {
				switch form := v.Content[j]; {
				case !slices.Contains(textForms, form.Value):
					problem(form, "%q is no form of a text", form.Value)
				case form.Value != "description":
					forms = append(forms, v.Content[j+1])
				}
			}
		}
		_, known := english[id.Value]
		switch {
		case !known && tag != language.English:
			problem(id, "there is no text %q", id.Value)
			continue
		case !known:
			for _, text := range forms {
				english[id.Value] += text.Value
			}
		}
		for _, text := range forms {
			if text.Kind != yaml.ScalarNode {
				problem(text, "text %q is not a text", id.Value)
				continue
			}
			for _, insert := range inserts.FindAllStringSubmatch(text.Value, -1) {
				if !strings.Contains(english[id.Value], insert[0]) {
					problem(text, "text %q has no value for %s", id.Value, insert[0])
				}
			}
			if rest := inserts.ReplaceAllString(text.Value, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
				problem(text, "text %q: a placeholder looks like {{.Name}}", id.Value)
			}
		}
	}
	return errors.Join(problems...)
}
