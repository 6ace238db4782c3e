package web_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

func TestConfigure(t *testing.T) {
	id := uuid.New()
	failing := func(err error) *visits {
		v := homeVisits()
		v.refused = err
		return v
	}
	page := "/flows/-/configure/" + id.String() + "/"
	rows := []struct {
		name, path, location string
		visits               *visits
		status               int
	}{
		{"a stranger signs in first and comes back", page + "?next=%2Fif%2Fuser%2F",
			"/flows/-/default/authentication/?next=%2Fflows%2F-%2Fconfigure%2F" + id.String() + "%2F%3Fnext%3D%252Fif%252Fuser%252F", &visits{configurable: id}, 302},
		{"the flow begins, with the query", page + "?next=%2Fif%2Fuser%2F", "/if/flow/set-up/?next=%2Fif%2Fuser%2F", homeVisits(), 302},
		{"another stage", "/flows/-/configure/" + uuid.NewString() + "/", "", homeVisits(), 404},
		{"no id", "/flows/-/configure/x/", "", homeVisits(), 404},
		{"the flow does not apply", page, "", failing(&flow.RefusedError{Messages: []string{"no"}}), 404},
		{"the store does not answer", page, "", failing(errors.New("gone")), 500},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.visits.configurable, row.visits.flow = id, &flow.Flow{Slug: "set-up"}
			w := answer(newSite(t, nil, &engine{}, row.visits), get(row.path))
			if w.Code != row.status || w.Header().Get("Location") != row.location {
				t.Errorf("status %d to %q, want %d to %q", w.Code, w.Header().Get("Location"), row.status, row.location)
			}
			if started := len(row.visits.configured) > 0; row.visits.person == nil && started {
				t.Error("a flow was started for a stranger")
			}
		})
	}
}
