package resource

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/consent"
	"github.com/weir-id/weir/internal/store"
)

const consentModel = "authentik_stages_consent.userconsent"

// consentMembers are the members of a consent but user and application.
type consentMembers struct {
	PK          int64      `json:"pk" field:"readonly"`
	Expires     *time.Time `json:"expires" field:"null"`
	Expiring    bool       `json:"expiring"`
	Permissions string     `json:"permissions" field:"default"`
}

// applicationSchema stands for whole applications inside of other objects.
var applicationSchema = reflect.TypeFor[flow.Application]()

// consents is authentik_stages_consent.userconsent: what a person has let an
// application know. Flows make them; here they are seen, and withdrawn.
type consents struct {
	*made[consent.Consent]
	users        *user
	applications *Kind
}

func newConsents(p people, users *user, applications *Kind) *consents {
	return &consents{&made[consent.Consent]{people: p, model: consentModel, what: "consent", rows: consentsTable(p.now), keys: []string{"pk", "id"},
		remove: "delete from consents where id = $1", members: new(consentMembers),
		ref: func(c *consent.Consent) *Ref {
			return &Ref{Key: c.ID, Name: fmt.Sprintf("user %d, application %s", c.User, c.Application)}
		}}, users, applications}
}

// Fields implements Objects.
func (k *consents) Fields() []field.Spec {
	return append(field.Describe(k.members),
		field.Spec{Name: "user", Type: "object", Required: true, Go: userSchema, Fields: k.users.Fields()},
		field.Spec{Name: "application", Type: "object", Required: true, Go: applicationSchema, Fields: k.applications.Fields()})
}

// Read implements Objects. An application that is gone is an empty object: the
// consent is still there to be withdrawn.
func (k *consents) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		c, ok := ref.loaded.(*consent.Consent)
		if !ok {
			now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("read consent %s: %w", ref.ID(), ErrGone)
			}
			c = now.loaded.(*consent.Consent)
		}
		m := consentMembers{PK: c.ID, Expires: c.Expires, Expiring: c.Expires != nil, Permissions: strings.Join(c.Permissions, " ")}
		out[i] = maps.Clone(field.Encode(&m, field.Public))
		people, err := k.users.Read(ctx, v, &Ref{Model: userModel, Key: c.User})
		if err != nil {
			return nil, err
		}
		out[i]["user"], out[i]["application"] = people[0], map[string]any{}
		app, err := k.applications.Find(ctx, v, map[string]any{"pk": c.Application.String()})
		if err != nil || app == nil {
			continue
		}
		whole, err := k.applications.Read(ctx, v, app)
		if err != nil {
			return nil, err
		}
		out[i]["application"] = whole[0]
	}
	return out, nil
}

// ownConsent tells whether a person may look at a consent and withdraw it because
// it is their own.
func ownConsent(ctx context.Context, q store.Querier, p *identity.Person, _ access.Verb, key string) (bool, error) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return false, nil
	}
	var n int
	err = q.QueryRow(ctx, "select count(*) from consents where id = $1 and user_id = $2", id, p.ID).Scan(&n)
	return n > 0, err
}

func consentsTable(now func() time.Time) *table[consent.Consent] {
	return &table[consent.Consent]{
		from: "consents c", columns: consent.Columns, key: "c.id", numeric: true, owner: "c.user_id", scan: consent.Scan,
		always:   func(s *statement) { s.where("c.expires is null or c.expires > ?", now()) },
		order:    map[string]string{"pk": "c.id", "user": "c.user_id", "application": "c.application_id", "expires": "c.expires"},
		fallback: "c.created desc, c.id",
		search:   mentions("c.permissions"),
		filters: map[string]func(*statement, any){
			"user":        equals("c.user_id"),
			"application": equals("c.application_id"),
		},
	}
}

func consentFilters() []Filter {
	return []Filter{{Name: "application", Format: "uuid"}, {Name: "user", Type: "integer"}}
}
