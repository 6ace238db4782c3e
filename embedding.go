package weir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// own is what an embedding program brings.
type own struct {
	stages []flow.StageType
	pages  fs.FS
	users  identity.UserStore
}

// recordAdopted records that a user of the program's store got a row.
func (in *Installation) recordAdopted(ctx context.Context, tx store.Tx, u identity.User) error {
	return in.events.Record(ctx, tx, event.Event{Action: event.UserWrite, User: identity.NewPerson(u, nil),
		Context: map[string]any{"created": true, "username": u.Username, "name": u.Name, "email": u.Email}})
}

// withOwn returns the stage types of Weir and those of the program. The error
// joins what is wrong with the program's.
func withOwn(builtin, own []flow.StageType) ([]flow.StageType, error) {
	all := slices.Clone(builtin)
	var problems []error
	for i := range own {
		t := &own[i]
		if err := checkStageType(t, all); err != nil {
			problems = append(problems, fmt.Errorf("stage type %q: %w", t.Name, err))
			continue
		}
		all = append(all, *t)
	}
	return all, errors.Join(problems...)
}

// stagePath is what comes after /stages/ in the API.
var stagePath = regexp.MustCompile(`^[a-z0-9_]+(/[a-z0-9_]+)?$`)

// checkStageType tells what would only come to light when somebody meets the
// stage, or not at all.
func checkStageType(t *flow.StageType, others []flow.StageType) error {
	if !t.Declared() {
		return errors.New("make it with flow.NewStageType")
	}
	app, model, dotted := strings.Cut(t.Model, ".")
	switch {
	case t.Name == "" || t.Component == "" || t.Label == "":
		return errors.New("give it a Name, a Component and a Label")
	case !stagePath.MatchString(t.Path) || t.Path == "all":
		return fmt.Errorf(`give it a Path such as "acme_terms", not %q`, t.Path)
	case !dotted || app == "" || model == "" || t.Model != strings.ToLower(t.Model):
		return fmt.Errorf(`give it a Model such as "acme_stages_terms.termsstage", not %q`, t.Model)
	}
	for _, o := range others {
		for _, same := range []struct{ field, a, b string }{{"Name", t.Name, o.Name}, {"Path", t.Path, o.Path}, {"Model", t.Model, o.Model},
			{"Component", t.Component, o.Component}, {"Label", t.Label, o.Label}} {
			if same.a == same.b {
				return fmt.Errorf("the stage type %q has the %s %q, too", o.Name, same.field, same.a)
			}
		}
	}
	for _, e := range t.Exchanges {
		if v := reflect.ValueOf(e.Challenge); e.Name == "" || v.Kind() != reflect.Pointer || v.IsNil() {
			return errors.New("give each exchange a Name and a Challenge, which is a pointer to a struct")
		}
		if t.Pages == nil {
			return fmt.Errorf("give it Pages with %s.html", e.Challenge.Component())
		}
		if _, err := fs.Stat(t.Pages, e.Challenge.Component()+".html"); err != nil {
			return fmt.Errorf("its Pages have no page for a challenge: %w", err)
		}
	}
	return nil
}
