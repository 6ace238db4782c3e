package api

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/api/openapi"
	"github.com/weir-id/weir/internal/resource"
)

// describe makes the OpenAPI document of all routes.
func (a *API) describe() (*openapi.Document, error) {
	d := openapi.New(openapi.Info{Title: "Weir", Version: CompatibleVersion,
		Description: "Flows, stages, policies and people. Calls need a session or an API token."}, strings.TrimSuffix(prefix, "/"))
	exchanges := flow.Exchanges()
	for i := range a.Stages {
		exchanges = append(exchanges, a.Stages[i].Exchanges...)
	}
	s := describer{d.Collect(), exchanges}
	for i := range a.routes {
		route := &a.routes[i]
		if route.Doc.Hidden {
			continue
		}
		path, method := "/"+route.Path, strings.ToLower(route.Method)
		if d.Paths[path] == nil {
			d.Paths[path] = openapi.PathItem{}
		}
		d.Paths[path][method] = s.operation(route)
	}
	return d, s.Err()
}

// describer turns routes into operations.
type describer struct {
	*openapi.Schemas
	exchanges []flow.Exchange
}

func (s describer) operation(route *Route) *openapi.Operation {
	doc := &route.Doc
	tag, _, _ := strings.Cut(route.Path, "/")
	op := &openapi.Operation{ID: operationID(route), Summary: doc.Summary, Parameters: s.parameters(route), Tags: []string{tag},
		Security: openapi.Authenticated(), Access: route.Guard.describe()}
	if route.Guard.Level == Public {
		op.Security = openapi.Anybody()
	}
	if doc.Body != nil {
		use := openapi.Request
		if route.Method == http.MethodPatch {
			use = openapi.Patch
		}
		content := openapi.AsJSON(s.shape(doc.Body, use))
		if doc.Form {
			content = map[string]openapi.Media{"multipart/form-data": content["application/json"]}
		}
		op.Body = &openapi.Body{Content: content, Required: use == openapi.Request && !doc.OptionalBody}
	}
	status := doc.Status
	if status == 0 {
		status = http.StatusOK
	}
	var content map[string]openapi.Media
	if doc.File {
		content = openapi.AsJSON(&openapi.Schema{Type: "string", Format: "binary"}) // the type that is published
	}
	if doc.Answer != nil {
		content = openapi.AsJSON(s.shape(doc.Answer, openapi.Answer))
		for _, also := range doc.Types {
			content[also] = content["application/json"]
		}
	}
	op.Responses = openapi.Answers(strconv.Itoa(status), content)
	return op
}

// parameter matches the parameters of an address.
var parameter = regexp.MustCompile(`\{([a-z_]+)(?:\.\.\.)?\}`)

// operationID joins the fixed parts of the address and the call, unless the
// route names it.
func operationID(route *Route) string {
	if route.Doc.ID != "" {
		return route.Doc.ID
	}
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(route.Path, "/"), "/") {
		if !parameter.MatchString(part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(append(parts, route.Doc.Call), "_")
}

func (s describer) parameters(route *Route) []*openapi.Parameter {
	var out []*openapi.Parameter
	for _, found := range parameter.FindAllStringSubmatch(route.Path, -1) {
		out = append(out, &openapi.Parameter{In: "path", Name: found[1], Schema: keySchema(route, found[1]), Required: true})
	}
	query := route.Doc.Query
	if k := route.Doc.Lists; k != nil {
		out = append(out, openapi.ListParameters()...)
		query = slices.Concat(query, k.Filters)
	}
	for _, k := range []*resource.Kind{route.Doc.Lists, route.Doc.Includes} {
		if k == nil {
			continue
		}
		for _, include := range k.Includes {
			out = append(out, openapi.Query(include.Name, &openapi.Schema{Type: "boolean", Default: include.Default}))
		}
	}
	for i := range query {
		p := openapi.Query(query[i].Name, s.filter(&query[i]))
		p.Required = query[i].Required
		if query[i].Commas {
			p.Explode = new(false)
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b *openapi.Parameter) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return out
}

// sortKey orders parameters: those of the address first, then by name.
func sortKey(p *openapi.Parameter) string { return p.In + " " + p.Name + p.Ref }

// keySchema describes a parameter of an address: the key of the kind that the
// route is about, else by its name.
func keySchema(route *Route, name string) *openapi.Schema {
	id := &openapi.Schema{Type: "string", Format: "uuid"}
	if k := route.Guard.Kind; k != nil && k.Param == name {
		for _, f := range k.Fields() {
			if f.Name == k.Key || f.Name == k.Param {
				return &openapi.Schema{Type: f.Type, Format: f.Format}
			}
		}
		return id
	}
	switch {
	case name == "uuid" || strings.HasSuffix(name, "_uuid"):
		return id
	case name == "id", name == "revision":
		return &openapi.Schema{Type: "integer"}
	}
	return &openapi.Schema{Type: "string"}
}

// filter describes the value of a parameter.
func (s describer) filter(f *resource.Filter) *openapi.Schema {
	spec := field.Spec{Name: f.Name, Type: f.Type, Format: f.Format, Enum: f.Enum}
	if spec.Type == "" {
		spec.Type = "string"
	}
	if f.Of != nil {
		spec.Go = f.Of.Go
		if f.Of.Items != nil {
			spec.Go = f.Of.Items.Go
		}
	}
	if f.Many {
		each := spec
		spec = field.Spec{Name: f.Name, Type: "array", Items: &each}
	}
	schema := s.Field(&spec, openapi.Answer)
	if f.Default != nil {
		schema.Default = f.Default
	}
	return schema
}

// shape describes a body.
func (s describer) shape(shape *Shape, use openapi.Use) *openapi.Schema {
	var schema *openapi.Schema
	switch k := shape.Kind; {
	case shape.Flow && use == openapi.Answer:
		schema = s.challenges()
	case shape.Flow:
		schema = s.answers()
	case k == nil && shape.Use == AsPage:
		item := s.Value(shape.Value, shape.Name, use)
		schema = s.Page(item.Name(), item)
	case k == nil:
		schema = s.Value(shape.Value, shape.Name, use)
	case shape.Use == AsPage:
		schema = s.Page(k.Schema, s.Object(k.Schema, k.Fields(), openapi.Answer))
	default:
		schema = s.Object(k.Schema, k.Fields(), use)
	}
	if shape.Many {
		return &openapi.Schema{Type: "array", Items: schema}
	}
	return schema
}

// discriminator is the member that tells what a challenge is.
const discriminator = "component"

// challenges describes what flows ask: the members of the envelope and those of
// the challenge, in one object.
func (s describer) challenges() *openapi.Schema {
	objects := map[string]*openapi.Schema{}
	for _, x := range s.exchanges {
		component := x.Challenge.Component()
		fields := append(field.Describe(&flow.Envelope{Component: component}), field.Describe(x.Challenge)...)
		objects[component] = s.Object(x.Name+"Challenge", fields, openapi.Answer)
	}
	return s.Choice("ChallengeTypes", discriminator, objects)
}

// answers describes what answers them.
func (s describer) answers() *openapi.Schema {
	objects := map[string]*openapi.Schema{}
	for _, x := range s.exchanges {
		if x.Answer == nil {
			continue
		}
		component := x.Challenge.Component()
		answer := reflect.New(reflect.TypeOf(x.Answer))
		fields := append(field.Describe(&struct {
			Component string `json:"component" field:"default"`
		}{component}), field.Describe(answer.Interface())...)
		object := s.Object
		if x.Open {
			object = s.Open
		}
		objects[component] = object(x.Name+"ChallengeResponse", fields, openapi.Request)
	}
	return s.Choice("FlowChallengeResponseRequest", discriminator, objects)
}

// describe tells in the document what the guard demands.
func (g Guard) describe() openapi.Access {
	switch g.Level {
	case Public:
		return openapi.Access{Who: "public"}
	case SignedIn:
		return openapi.Access{Who: "signed_in"}
	case Superuser:
		return openapi.Access{Who: "superuser"}
	case OnAll, OnSome, OnOne:
		objects := map[Level]string{OnAll: "all", OnSome: "some", OnOne: "one"}[g.Level]
		return openapi.Access{Who: "permission", Permission: g.permission(), Objects: objects, Own: g.Own}
	}
	panic(fmt.Sprintf("api: a guard of level %d admits nobody", g.Level))
}
