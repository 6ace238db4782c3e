package api

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/api/openapi"
	"github.com/weir-id/weir/internal/resource"
)

// schemaRoutes describe the API: to programs as OpenAPI, to people as a page.
func (a *API) schemaRoutes() []Route {
	routes := []Route{{http.MethodGet, "schema/", public, Doc{Call: "retrieve", Summary: "Describe this API as OpenAPI",
		Query: []resource.Filter{formatFilter}, Answer: valueOf(map[string]any{}), Types: schemaTypes[:3]}, describeAPI}}
	if a.Browse != nil {
		routes = append(routes, Route{http.MethodGet, "", public, Doc{Hidden: true}, browse})
	}
	return routes
}

// schemaFormat is how the description is written.
type schemaFormat string

// Choices lists the formats.
func (schemaFormat) Choices() []string { return []string{"json", "yaml"} }

var formatFilter = resource.Filter{Name: "format", Enum: schemaFormat("").Choices(), Of: &field.Describe(&struct {
	Format schemaFormat `json:"format"`
}{})[0]}

// schemaTypes are the content types of the description, the first one for those
// who do not care. Those that end in json are JSON.
var schemaTypes = []string{"application/vnd.oai.openapi", "application/yaml", "application/vnd.oai.openapi+json", "application/json"}

// schema is the description, written once.
type schema struct {
	document   *openapi.Document
	json, yaml []byte
}

func (a *API) makeSchema() (*schema, error) {
	s := &schema{}
	var err error
	if s.document, err = a.describe(); err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	if s.json, err = s.document.JSON(); err != nil {
		return nil, err
	}
	s.yaml, err = s.document.YAML()
	return s, err
}

// describeAPI answers with the description in the format that the query or the
// header Accept asks for.
func describeAPI(c *call) error {
	s, err := c.api.schema()
	if err != nil {
		return err
	}
	format, problem := formatFilter.Decode(c.r.URL.Query()["format"])
	if problem != nil {
		return field.Errors{"format": {*problem}}
	}
	typ := preferred(c.r.Header.Values("Accept"), schemaTypes)
	switch format {
	case "json":
		typ = "application/vnd.oai.openapi+json"
	case "yaml":
		typ = "application/vnd.oai.openapi"
	}
	body := s.yaml
	if strings.HasSuffix(typ, "json") {
		body = s.json
	}
	head, tag := c.w.Header(), etag(body)
	head.Set("Content-Type", typ)
	head.Set("Cache-Control", "no-cache")
	head.Set("Vary", "Accept")
	head.Set("ETag", tag)
	if matchesTag(c.r.Header["If-None-Match"], tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_, _ = c.w.Write(body) // the client is gone if this fails
	return nil
}

// browse shows the description to people.
func browse(c *call) error {
	s, err := c.api.schema()
	if err != nil {
		return err
	}
	c.api.Browse(c.w, c.r, s.document)
	return nil
}

// preferred is the content type that the headers Accept like best, of several
// liked alike the one that comes first; the first one of all when they like
// none (RFC 9110 section 12.5.1).
func preferred(accept, types []string) string {
	best, most := types[0], 0.0
	for _, typ := range types {
		if q := quality(accept, typ); q > most {
			best, most = typ, q
		}
	}
	return best
}

// quality is how much the headers like a type; the most exact entry counts.
func quality(accept []string, typ string) float64 {
	group, _, _ := strings.Cut(typ, "/")
	exact, q := 0, 0.0
	for entry := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		level := map[string]int{"*/*": 1, group + "/*": 2, typ: 3}[name]
		if level <= exact {
			continue
		}
		exact, q = level, 1
		if s, given := params["q"]; given {
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				q = 0
			}
		}
	}
	return q
}
