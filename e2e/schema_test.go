package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// published is the OpenAPI description in the package of the official client.
type published struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas    map[string]schema    `yaml:"schemas"`
		Parameters map[string]parameter `yaml:"parameters"`
	} `yaml:"components"`
}

type operation struct {
	ID         string      `yaml:"operationId"`
	Parameters []parameter `yaml:"parameters"`
	Body       struct {
		Content map[string]struct {
			Schema schema `yaml:"schema"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
}

type parameter struct {
	Ref      string `yaml:"$ref"`
	In       string `yaml:"in"`
	Name     string `yaml:"name"`
	Required bool   `yaml:"required"`
	Schema   schema `yaml:"schema"`
}

type schema struct {
	Ref        string            `yaml:"$ref"`
	Type       string            `yaml:"type"`
	Format     string            `yaml:"format"`
	Enum       []any             `yaml:"enum"`
	AllOf      []schema          `yaml:"allOf"`
	OneOf      []schema          `yaml:"oneOf"`
	Items      *schema           `yaml:"items"`
	Properties map[string]schema `yaml:"properties"`
	Required   []string          `yaml:"required"`
	Nullable   bool              `yaml:"nullable"`
	ReadOnly   bool              `yaml:"readOnly"`
	Additional *schema           `yaml:"additionalProperties"`
	MinLength  int               `yaml:"minLength"`
	Maximum    *float64          `yaml:"maximum"`
	Minimum    *float64          `yaml:"minimum"`

	Discriminator struct {
		Property string            `yaml:"propertyName"`
		Mapping  map[string]string `yaml:"mapping"`
	} `yaml:"discriminator"`
}

var readPublished = sync.OnceValues(func() (*published, error) {
	data, err := os.ReadFile(filepath.Join("client", "node_modules", "@goauthentik", "api", "schema.yml"))
	if err != nil {
		return nil, err
	}
	var p published
	return &p, yaml.Unmarshal(data, &p)
})

func publishedSchema(t *testing.T) *published {
	t.Helper()
	p, err := readPublished()
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Skip("the official client is not installed; `make test` does that")
	}
	if err != nil {
		t.Fatalf("read the published schema: %v", err)
	}
	return p
}

// component is what a reference leads to.
func (p *published) component(ref string) schema {
	return p.Components.Schemas[ref[strings.LastIndexByte(ref, '/')+1:]]
}

// resolve follows references.
func (p *published) resolve(s schema) schema {
	for s.Ref != "" || len(s.AllOf) == 1 || len(s.OneOf) > 0 {
		nullable := s.Nullable
		switch {
		case s.Ref != "":
			s = p.component(s.Ref)
		case len(s.AllOf) == 1:
			s = s.AllOf[0]
		default:
			s = s.OneOf[0]
		}
		s.Nullable = s.Nullable || nullable
	}
	return s
}

func (p *published) parameter(q parameter) parameter {
	if q.Ref != "" {
		return p.Components.Parameters[q.Ref[strings.LastIndexByte(q.Ref, '/')+1:]]
	}
	return q
}
