package api

import "github.com/weir-id/weir/internal/resource"

// Doc describes a route for OpenAPI. What the address, the method and the guard
// say is not repeated.
type Doc struct {
	// Call is the last part of the operation's id: "list", "create". ID is
	// the whole id where it does not follow from address and call.
	Call, ID string
	// Summary is a sentence for people; may be empty.
	Summary string
	// Lists is the kind whose paging, ordering, search and filters the route
	// takes, Includes the one whose optional members can be chosen.
	Lists, Includes *resource.Kind
	// Query are further parameters.
	Query []resource.Filter
	// Body and Answer are nil for nothing.
	Body, Answer *Shape
	// OptionalBody tells that the body may be left out.
	OptionalBody bool
	// File tells that the answer is a file to save; Answer is nil then.
	File bool
	// Form tells that the body is a form with a file.
	Form bool
	// Status is that of success; 200 when 0.
	Status int
	// Types are the content types of the answer besides JSON.
	Types []string
	// Hidden keeps the route out of the description: it is for people.
	Hidden bool
}

// Shape describes a JSON value. One of Kind, Value and Flow is set.
type Shape struct {
	// Kind is described by its declaration, as Use says.
	Kind *resource.Kind
	// Use of a Value is AsObject or AsPage.
	Use Use
	// Value is a Go struct with json names and field tags; its values are the
	// defaults.
	Value any
	// Flow tells that it is what flows ask, or what answers them.
	Flow bool
	// Name is what the component of Value is called; empty for the name of the
	// Go type with a capital. Bodies have "Request" behind it.
	Name string
	// Many tells that it is a list of them.
	Many bool
}

// Use is how the objects of a kind are shown.
type Use int

// The ways.
const (
	AsObject  Use = iota // as answers have it
	AsRequest            // what is written as a whole
	AsPatch              // what is changed
	AsPage               // one page of a list
)

func objectOf(k *resource.Kind) *Shape  { return &Shape{Kind: k, Use: AsObject} }
func requestOf(k *resource.Kind) *Shape { return &Shape{Kind: k, Use: AsRequest} }
func patchOf(k *resource.Kind) *Shape   { return &Shape{Kind: k, Use: AsPatch} }
func pageOf(k *resource.Kind) *Shape    { return &Shape{Kind: k, Use: AsPage} }

// valueOf describes a struct, listOf a list of them, by a value of it.
func valueOf(v any) *Shape { return &Shape{Value: v} }
func listOf(v any) *Shape  { return &Shape{Value: v, Many: true} }

// pageOfValues describes one page of a list of structs.
func pageOfValues(v any) *Shape { return &Shape{Value: v, Use: AsPage} }

// named calls the component of a shape something else than its Go type.
func (s *Shape) named(name string) *Shape { s.Name = name; return s }
