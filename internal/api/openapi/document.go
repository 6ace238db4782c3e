// Package openapi holds the description of the API as a document of OpenAPI
// 3.0.3, and the rules by which the declarations of fields become schemas. It
// knows no route: package api says which operations there are, package web shows
// them to people.
package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Version is the version of OpenAPI that documents follow.
const Version = "3.0.3"

// Document is the description of an API. Its JSON members stand in the order of
// the fields.
type Document struct {
	OpenAPI    string              `json:"openapi"`
	Info       Info                `json:"info"`
	Paths      map[string]PathItem `json:"paths"`
	Components Components          `json:"components"`
	Servers    []Server            `json:"servers"`
}

// Info says which API it is.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Server is where the paths begin.
type Server struct {
	URL string `json:"url"`
}

// PathItem holds the operations of an address by method, in lower case.
type PathItem map[string]*Operation

// Operation is one method of one address.
type Operation struct {
	ID         string                `json:"operationId"`
	Summary    string                `json:"summary,omitempty"`
	Parameters []*Parameter          `json:"parameters,omitempty"`
	Tags       []string              `json:"tags"`
	Body       *Body                 `json:"requestBody,omitempty"`
	Security   []map[string][]string `json:"security"`
	Responses  map[string]*Response  `json:"responses"`
	Access     Access                `json:"x-weir-access"`
}

// Access says who may call an operation.
type Access struct {
	// Who is public, signed_in, superuser or permission.
	Who string `json:"who"`
	// Permission is what the caller must hold: "authentik_flows.view_flow".
	Permission string `json:"permission,omitempty"`
	// Objects tells on which objects: all, some (the answer is about those) or
	// one (the one in the address).
	Objects string `json:"objects,omitempty"`
	// Own tells that everybody who is signed in may create objects of their own.
	Own bool `json:"own,omitempty"`
}

// Parameter is a part of an address, or a reference to a shared one.
type Parameter struct {
	Ref      string  `json:"$ref,omitempty"`
	In       string  `json:"in,omitempty"`
	Name     string  `json:"name,omitempty"`
	Schema   *Schema `json:"schema,omitempty"`
	About    string  `json:"description,omitempty"`
	Required bool    `json:"required,omitempty"`
	// Explode false tells that commas separate the values; nil for no list.
	Explode *bool  `json:"explode,omitempty"`
	Style   string `json:"style,omitempty"`
}

// Body is what an operation takes.
type Body struct {
	Content  map[string]Media `json:"content"`
	Required bool             `json:"required,omitempty"`
}

// Response is what an operation answers with one status, or a reference to a
// shared one.
type Response struct {
	Ref     string           `json:"$ref,omitempty"`
	Content map[string]Media `json:"content,omitempty"`
	About   *string          `json:"description,omitempty"`
}

// Media is a body of one content type.
type Media struct {
	Schema *Schema `json:"schema"`
}

// Components are what operations share, by name.
type Components struct {
	Parameters      map[string]*Parameter `json:"parameters"`
	Responses       map[string]*Response  `json:"responses"`
	Schemas         map[string]*Schema    `json:"schemas"`
	SecuritySchemes map[string]Security   `json:"securitySchemes"`
}

// Security is a way to say who calls.
type Security struct {
	Type   string `json:"type"`
	Scheme string `json:"scheme,omitempty"`
	Name   string `json:"name,omitempty"`
	In     string `json:"in,omitempty"`
}

// Schema describes a JSON value.
type Schema struct {
	Ref           string         `json:"$ref,omitempty"`
	AllOf         []*Schema      `json:"allOf,omitempty"`
	OneOf         []*Schema      `json:"oneOf,omitempty"`
	Discriminator *Discriminator `json:"discriminator,omitempty"`
	Type          string         `json:"type,omitempty"`
	Format        string         `json:"format,omitempty"`
	Enum          []string       `json:"enum,omitempty"`
	Items         *Schema        `json:"items,omitempty"`
	Properties    Properties     `json:"properties,omitempty"`
	Additional    *Schema        `json:"additionalProperties,omitempty"`
	Required      []string       `json:"required,omitempty"`
	Nullable      bool           `json:"nullable,omitempty"`
	ReadOnly      bool           `json:"readOnly,omitempty"`
	WriteOnly     bool           `json:"writeOnly,omitempty"`
	Default       any            `json:"default,omitempty"`
	Minimum       *int64         `json:"minimum,omitempty"`
	Maximum       *int64         `json:"maximum,omitempty"`
	MinLength     *int64         `json:"minLength,omitempty"`
	MaxLength     *int64         `json:"maxLength,omitempty"`
	MinItems      *int64         `json:"minItems,omitempty"`
	MaxItems      *int64         `json:"maxItems,omitempty"`
	Pattern       string         `json:"pattern,omitempty"`
	About         string         `json:"description,omitempty"`
}

// Discriminator names the member that tells which of several schemas holds.
type Discriminator struct {
	Property string            `json:"propertyName"`
	Mapping  map[string]string `json:"mapping,omitempty"`
}

// Properties are the members of an object in the order of their declaration.
type Properties []Property

// Property is one of them.
type Property struct {
	Name   string
	Schema *Schema
}

// MarshalJSON writes an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, member := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(member.Name)
		if err != nil {
			return nil, err
		}
		schema, err := json.Marshal(member.Schema)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(schema)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// The places of references.
const (
	schemaRef    = "#/components/schemas/"
	parameterRef = "#/components/parameters/"
	responseRef  = "#/components/responses/"
)

// RefTo refers to a schema by its name.
func RefTo(name string) *Schema { return &Schema{Ref: schemaRef + name} }

// Name is the component that a schema refers to, also beside other rules; empty
// for none.
func (s *Schema) Name() string {
	if s == nil {
		return ""
	}
	if len(s.AllOf) == 1 {
		return s.AllOf[0].Name()
	}
	return strings.TrimPrefix(s.Ref, schemaRef)
}

// IsRequired tells whether an object must have the member.
func (s *Schema) IsRequired(name string) bool { return slices.Contains(s.Required, name) }
