package api

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// kindRoutes are the generic calls of all kinds.
func (a *API) kindRoutes() []Route {
	var out []Route
	for _, k := range a.Kinds.All() {
		list, one := k.Path+"/", k.Path+"/{"+k.Param+"}/"
		add := func(c resource.Calls, route Route) {
			if k.Has(c) {
				out = append(out, route)
			}
		}
		create := onAll(k, access.Add)
		create.Own = k.AddOwn
		add(resource.List, Route{http.MethodGet, list, onSome(k, access.View), Doc{Call: "list", Summary: "List " + k.Plural, Lists: k, Answer: pageOf(k)}, listObjects})
		add(resource.Create, Route{http.MethodPost, list, create, Doc{Call: "create", Summary: "Create " + k.Label, Body: requestOf(k), Answer: objectOf(k), Status: http.StatusCreated}, createObject})
		add(resource.Retrieve, Route{http.MethodGet, one, onOne(k, access.View), Doc{Call: "retrieve", Summary: "Read " + k.Label, Includes: k, Answer: objectOf(k)}, retrieveObject})
		add(resource.Change, Route{http.MethodPut, one, onOne(k, access.Change), Doc{Call: "update", Summary: "Replace " + k.Label, Body: requestOf(k), Answer: objectOf(k)}, replaceObject})
		add(resource.Change, Route{http.MethodPatch, one, onOne(k, access.Change), Doc{Call: "partial_update", Summary: "Change " + k.Label, Body: patchOf(k), Answer: objectOf(k)}, patchObject})
		add(resource.Delete, Route{http.MethodDelete, one, onOne(k, access.Delete), Doc{Call: "destroy", Summary: "Delete " + k.Label, Status: http.StatusNoContent}, deleteObject})
		add(resource.UsedBy, Route{http.MethodGet, one + "used_by/", onOne(k, access.View), Doc{Call: "list", Summary: "List what refers to " + k.Label, Answer: listOf(usedBy{})}, listUses})
	}
	return out
}

// pagination is the head of a page of a list.
type pagination struct {
	Next       float64 `json:"next" field:"required"`
	Previous   float64 `json:"previous" field:"required"`
	Count      float64 `json:"count" field:"required"`
	Current    float64 `json:"current" field:"required"`
	TotalPages float64 `json:"total_pages" field:"required"`
	StartIndex float64 `json:"start_index" field:"required"`
	EndIndex   float64 `json:"end_index" field:"required"`
}

// page is one page of a list. Autocomplete is empty: searches are words, not a
// query language.
type page struct {
	Pagination   pagination     `json:"pagination"`
	Results      any            `json:"results"`
	Autocomplete map[string]any `json:"autocomplete"`
}

// maxPage is the highest number of a page that is looked for.
const maxPage = 1_000_000_000

// query reads paging, ordering, search and filters. It has answered when it
// returns nil.
func (c *call) query(v *resource.View) (*resource.Query, error) {
	q, err := c.paging(v)
	if err != nil || q == nil {
		return nil, err
	}
	values := c.r.URL.Query()
	filters, errs := c.kind.ParseFilters(values)
	include, more := c.kind.ParseIncludes(values)
	if errs = errs.Merge(more); errs != nil {
		return nil, errs
	}
	q.Filters, v.Include = filters, include
	return q, nil
}

// paging reads paging, ordering and search. It has answered when it returns
// nil.
func (c *call) paging(v *resource.View) (*resource.Query, error) {
	values := c.r.URL.Query()
	settings := v.Config.Settings()
	q := &resource.Query{Page: 1, Size: int(settings.DefaultPageSize), Order: resource.ParseOrder(values.Get("ordering")),
		Terms: resource.Terms(values.Get("search")), Scope: c.scope}
	if n, err := strconv.Atoi(values.Get("page_size")); err == nil && n > 0 {
		q.Size = min(n, int(settings.MaxPageSize))
	}
	if s := values.Get("page"); s != "" && s != "last" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			refuse(c.w, http.StatusNotFound, "There is no such page.")
			return nil, nil
		}
		q.Page = n
	} else if s == "last" {
		q.Page = math.MaxInt32
	}
	return q, nil
}

// asked is what a list is read from and what of it is asked for. It has
// answered when the query is nil.
func (c *call) asked() (resource.View, *resource.Query, error) {
	v, err := c.view()
	if err != nil {
		return v, nil, err
	}
	q, err := c.paging(&v)
	return v, q, err
}

// listObjects answers with one page.
func listObjects(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	q, err := c.query(&v)
	if err != nil || q == nil {
		return err
	}
	refs, total, err := c.kind.List(c.ctx, v, q)
	if err != nil {
		return err
	}
	return c.page(v, q, refs, total, func() ([]*resource.Ref, int, error) { return c.kind.List(c.ctx, v, q) })
}

// page writes a page of a list that was read with q; again reads another one.
func (c *call) page(v resource.View, q *resource.Query, refs []*resource.Ref, total int, again func() ([]*resource.Ref, int, error)) error {
	read := false
	return c.pages(q, func() (results any, here, all int, err error) {
		if read {
			if refs, total, err = again(); err != nil {
				return nil, 0, 0, err
			}
		}
		read = true
		objects := []map[string]any{}
		if len(refs) > 0 {
			objects, err = c.kind.Read(c.ctx, v, refs...)
		}
		return objects, len(refs), total, err
	})
}

// pages writes a page of a list, which list reads as q says. Which page is the
// last one is known only when one was read.
func (c *call) pages(q *resource.Query, list func() (results any, here, total int, err error)) error {
	results, here, total, err := list()
	if err != nil {
		return err
	}
	pages := max(1, (total+q.Size-1)/q.Size)
	if q.Page == math.MaxInt32 {
		q.Page = pages
		if results, here, total, err = list(); err != nil {
			return err
		}
	}
	if q.Page > pages {
		refuse(c.w, http.StatusNotFound, "There is no such page.")
		return nil
	}
	return c.answer(http.StatusOK, newPage(q, total, here, results))
}

func newPage(q *resource.Query, total, here int, results any) page {
	pages := max(1, (total+q.Size-1)/q.Size)
	p := pagination{Count: float64(total), Current: float64(q.Page), TotalPages: float64(pages)}
	if q.Page < pages {
		p.Next = float64(q.Page + 1)
	}
	if q.Page > 1 {
		p.Previous = float64(q.Page - 1)
	}
	if here > 0 {
		p.StartIndex = float64((q.Page-1)*q.Size + 1)
		p.EndIndex = float64((q.Page-1)*q.Size + here)
	}
	return page{p, results, map[string]any{}}
}

// body reads the fields of the kind: what only files may say is left out, like
// unknown members.
func (c *call) body() (map[string]any, error) {
	body, err := readBody(c.r)
	if err != nil {
		return nil, err
	}
	for _, s := range c.kind.Fields() {
		if s.File {
			delete(body, s.Name)
		}
	}
	return body, nil
}

// createObject makes an object.
func createObject(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.create(http.StatusCreated, body)
}

// create makes an object of the kind and answers with it.
func (c *call) create(status int, data map[string]any) error {
	var made []map[string]any
	err := c.write(func(ctx context.Context, w *resource.Write) error {
		ref, _, err := c.kind.Create(ctx, w, "", data)
		if err != nil {
			return err
		}
		made, err = c.kind.Read(ctx, w.View(), ref)
		return err
	})
	if err != nil {
		return err
	}
	return c.object(status, made[0])
}

// retrieveObject answers with one object.
func retrieveObject(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	var errs field.Errors
	if v.Include, errs = c.kind.ParseIncludes(c.r.URL.Query()); errs != nil {
		return errs
	}
	found, err := c.kind.Read(c.ctx, v, c.ref)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found[0])
}

func replaceObject(c *call) error { return changeObject(c, field.Replace) }
func patchObject(c *call) error   { return changeObject(c, field.Update) }

// changeObject changes an object and answers with what it is now.
func changeObject(c *call, mode field.Mode) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	var now []map[string]any
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.unchanged(ctx, w); err != nil {
			return err
		}
		ref := *c.ref // the transaction may run again
		if _, _, err := c.kind.Update(ctx, w, &ref, body, mode); err != nil {
			return err
		}
		now, err = c.kind.Read(ctx, w.View(), &ref)
		return err
	})
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, now[0])
}

// deleteObject deletes an object.
func deleteObject(c *call) error {
	err := c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.unchanged(ctx, w); err != nil {
			return err
		}
		return c.kind.Delete(ctx, w, c.ref)
	})
	if err != nil {
		return err
	}
	return c.done()
}

// usedBy is an object that refers to another one.
type usedBy struct {
	App       string `json:"app" field:"required"`
	ModelName string `json:"model_name" field:"required"`
	PK        string `json:"pk" field:"required"`
	Name      string `json:"name" field:"required"`
	Action    Action `json:"action" field:"required"`
}

// Action is what becomes of an object when the one it refers to is deleted.
type Action string

// Choices lists the actions.
func (Action) Choices() []string {
	return []string{"cascade", "cascade_many", "set_null", "set_default", "left_dangling"}
}

// listUses answers with what refers to an object, as far as the caller may see
// it.
func listUses(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	uses, err := c.kind.UsedBy(c.ctx, v, c.ref)
	if err != nil {
		return err
	}
	return c.uses(uses)
}

// uses answers with uses of something, as far as the caller may see them.
func (c *call) uses(uses []resource.Use) error {
	out := []usedBy{}
	for _, u := range uses {
		app, name, _ := strings.Cut(u.Model, ".")
		ok, err := c.api.Access.Can(c.ctx, c.visit.User, access.View, name, u.Key)
		if err != nil {
			return err
		}
		if ok {
			out = append(out, usedBy{App: app, ModelName: name, PK: u.Key, Name: u.Name, Action: Action(u.Action)})
		}
	}
	return c.answer(http.StatusOK, out)
}
