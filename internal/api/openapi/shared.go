package openapi

// The shared parameters of lists, by the name of the parameter.
var sharedParameters = map[string]struct{ component, typ, about string }{
	"name":      {"QueryName", "string", ""},
	"ordering":  {"QueryPaginationOrdering", "string", "Fields to sort by, joined by commas; a minus in front reverses the order."},
	"page":      {"QueryPaginationPage", "integer", "Number of the page, from 1."},
	"page_size": {"QueryPaginationPageSize", "integer", "Objects on a page."},
	"search":    {"QuerySearch", "string", "Words that must all be found."},
}

// ListParameters are the parameters that every list takes; QueryName is among
// the filters.
func ListParameters() []*Parameter {
	var out []*Parameter
	for _, name := range []string{"ordering", "page", "page_size", "search"} {
		out = append(out, Query(name, &Schema{Type: sharedParameters[name].typ}))
	}
	return out
}

// Query is a parameter behind the question mark: the shared one where there is
// one of that name and type.
func Query(name string, schema *Schema) *Parameter {
	if shared, ok := sharedParameters[name]; ok && schema.Type == shared.typ && schema.Format == "" {
		return &Parameter{Ref: parameterRef + shared.component}
	}
	p := &Parameter{In: "query", Name: name, Schema: schema}
	if schema.Type == "array" {
		p.Explode, p.Style = new(true), "form"
	}
	return p
}

// Answers are the responses of an operation: success, and the two problems that
// all have.
func Answers(status string, content map[string]Media) map[string]*Response {
	about := ""
	if content == nil {
		about = "No response body"
	}
	return map[string]*Response{
		status: {Content: content, About: &about},
		"400":  {Ref: responseRef + "ValidationErrorResponse"},
		"403":  {Ref: responseRef + "GenericErrorResponse"},
	}
}

// securityScheme is the name of the one way to say who calls: an API token.
const securityScheme = "authentik"

// Authenticated and Anybody are who may call: the latter also without a token.
func Authenticated() []map[string][]string { return []map[string][]string{{securityScheme: {}}} }

// Anybody also lets in who sends no token.
func Anybody() []map[string][]string { return append(Authenticated(), map[string][]string{}) }

// New returns a document with what every API of this kind shares.
func New(info Info, server string) *Document {
	d := &Document{OpenAPI: Version, Info: info, Servers: []Server{{server}}, Paths: map[string]PathItem{}, Components: Components{
		Parameters: map[string]*Parameter{}, Responses: map[string]*Response{}, Schemas: map[string]*Schema{},
		SecuritySchemes: map[string]Security{securityScheme: {Type: "http", Scheme: "bearer"}}}}
	for name, p := range sharedParameters {
		d.Components.Parameters[p.component] = &Parameter{In: "query", Name: name, Schema: &Schema{Type: p.typ}, About: p.about}
	}
	for name, schema := range sharedSchemas() {
		d.Components.Schemas[name] = schema
	}
	none := ""
	for response, schema := range map[string]string{"GenericErrorResponse": "GenericError", "ValidationErrorResponse": "ValidationError"} {
		d.Components.Responses[response] = &Response{About: &none, Content: AsJSON(RefTo(schema))}
	}
	return d
}

// AsJSON is a body of that content type.
func AsJSON(schema *Schema) map[string]Media {
	return map[string]Media{"application/json": {schema}}
}

// sharedSchemas are the shapes that no declaration of fields describes.
func sharedSchemas() map[string]*Schema {
	text, number := &Schema{Type: "string"}, &Schema{Type: "number"}
	pagination := &Schema{Type: "object", Required: []string{"count", "current", "end_index", "next", "previous", "start_index", "total_pages"}}
	for _, name := range []string{"next", "previous", "count", "current", "total_pages", "start_index", "end_index"} {
		pagination.Properties = append(pagination.Properties, Property{name, number})
	}
	return map[string]*Schema{
		"Pagination":   pagination,
		"Autocomplete": {Type: "object", Additional: &Schema{}, About: "Always empty here."},
		"ValidationError": {Type: "object", Additional: &Schema{}, About: "What is wrong with the fields, by their names.",
			Properties: Properties{{"non_field_errors", &Schema{Type: "array", Items: text}}, {"code", text}}},
		"GenericError": {Type: "object", Required: []string{"detail"}, About: "Why a call was refused.",
			Properties: Properties{{"detail", text}, {"code", text}}},
	}
}

// pageOf describes one page of a list.
func pageOf(item *Schema) *Schema {
	return &Schema{Type: "object", Required: []string{"autocomplete", "pagination", "results"}, Properties: Properties{
		{"pagination", RefTo("Pagination")}, {"results", &Schema{Type: "array", Items: item}}, {"autocomplete", RefTo("Autocomplete")}}}
}
