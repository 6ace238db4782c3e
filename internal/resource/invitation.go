package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/event"
	store "github.com/weir-id/weir/internal/invitation"
	sql "github.com/weir-id/weir/internal/store"
)

// invitation is authentik_stages_invitation.invitation: a link into a flow. One
// that has ended is found here until it is cleaned up; it opens nothing.
type invitation struct {
	people
	flows *Kind
	rows  *table[store.Invitation]
}

const invitationModel = "authentik_stages_invitation.invitation"

type invitationData struct {
	Name string `json:"name" field:"required,slug,max=255"`
	// Expires is null for never.
	Expires *time.Time `json:"expires" field:"null"`
	// FixedData is merged into the prompt data of who comes.
	FixedData map[string]any `json:"fixed_data"`
	SingleUse bool           `json:"single_use"`
	// Flow is the one that the link leads into; null for any.
	Flow *uuid.UUID `json:"flow" field:"null"`
}

// invitationMembers are the read-only members of an invitation.
type invitationMembers struct {
	PK uuid.UUID `json:"pk"`
	// CreatedBy is the anonymous user where no person made it.
	CreatedBy userSummary `json:"created_by"`
}

// flowSchema stands for whole flows inside of other objects.
var flowSchema = reflect.TypeFor[flow.Flow]()

// maxFixedData bounds what an invitation brings, as JSON.
const maxFixedData = 16 << 10

// Validate bounds the data.
func (d *invitationData) Validate() field.Errors {
	if data, err := json.Marshal(d.FixedData); err != nil || len(data) > maxFixedData {
		return field.Errorf("fixed_data", field.CodeMaxLength, "Enter at most %d bytes; these are %d.", maxFixedData, len(data))
	}
	return nil
}

// Fields implements Objects.
func (k *invitation) Fields() []field.Spec {
	out := append(readOnly(new(invitationMembers)), field.Describe(&invitationData{FixedData: map[string]any{}})...)
	return append(out, field.Spec{Name: "flow_obj", Type: "object", ReadOnly: true, Nullable: true, Go: flowSchema, Fields: k.flows.Fields()})
}

func invitationRef(i *store.Invitation) *Ref {
	return &Ref{Model: invitationModel, Key: i.ID.String(), Name: i.Name, loaded: i}
}

func invitationsTable() *table[store.Invitation] {
	return &table[store.Invitation]{
		from: "invitations i left join users u on u.id = i.created_by", columns: store.Columns, key: "i.id", scan: store.Scan,
		order:    map[string]string{"pk": "i.id", "name": "i.name", "expires": "i.expires", "single_use": "i.single_use", "created_by": "i.created_by"},
		fallback: "i.expires desc nulls last, i.name, i.id",
		search:   mentions("i.name", "u.username"),
		filters: map[string]func(*statement, any){
			"name": equals("i.name"), "expires": equals("i.expires"), "created_by__username": equals("u.username"),
			"flow": func(s *statement, want any) { s.terms = append(s.terms, "i.flow_id in "+s.in(want.([]any))) },
		},
	}
}

func invitationFilters() []Filter {
	return []Filter{{Name: "created_by__username"}, {Name: "expires", Format: "date-time"}, {Name: "flow__slug"}, {Name: "name"}}
}

// List implements Objects.
func (k *invitation) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	narrowed := *q
	narrowed.Filters = maps.Clone(q.Filters)
	if slug, given := q.Filters["flow__slug"]; given {
		// Flows stand in the catalog.
		delete(narrowed.Filters, "flow__slug")
		f, ok := v.Config.FlowBySlug(slug.(string))
		if !ok {
			return nil, 0, nil
		}
		narrowed.Filters["flow"] = []any{f.ID.String()}
	}
	rows, total, err := k.rows.list(ctx, v, &narrowed)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = invitationRef(&rows[i])
	}
	return refs, total, err
}

// Find implements Objects.
func (k *invitation) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(invitationModel, match, map[string]matchType{"pk": matchUUID, "invite_uuid": matchUUID, "name": matchText})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	for name, want := range match {
		if name == "name" {
			s.where("i.name = ?", want)
			continue
		}
		s.where("i.id = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
	}
	found, err := sql.Select(ctx, v.DB, store.Scan, "select "+store.Columns+" from invitations i"+s.condition()+" order by i.created, i.id limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find invitation: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return invitationRef(&found[0]), nil
}

// load returns the invitation of a ref.
func (k *invitation) load(ctx context.Context, q sql.Querier, ref *Ref) (*store.Invitation, error) {
	if i, ok := ref.loaded.(*store.Invitation); ok {
		return i, nil
	}
	found, err := sql.Select(ctx, q, store.Scan, "select "+store.Columns+" from invitations i where i.id = $1", ref.ID())
	if err != nil {
		return nil, fmt.Errorf("read invitation %s: %w", ref.ID(), err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("invitation %s: %w", ref.ID(), ErrGone)
	}
	return &found[0], nil
}

// flowExists refuses flows that do not exist.
func flowExists(s *catalog.Snapshot, id *uuid.UUID) error {
	if id == nil {
		return nil
	}
	if _, ok := s.Flow(*id); !ok {
		return field.Errorf("flow", field.CodeDoesNotExist, "Choose a flow that exists; there is none with the id %s.", *id)
	}
	return nil
}

// Create implements Objects.
func (k *invitation) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	d := invitationData{FixedData: map[string]any{}}
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	// The id is the secret of the link, so nobody chooses it but files of the
	// server.
	i := store.Invitation{ID: uuid.New(), Created: k.now()}
	if pk != "" {
		var err error
		if i.ID, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
	}
	if p := w.By.Person; p != nil && p.Saved() {
		i.CreatedBy = &p.ID
	}
	d.fill(&i)
	if err := flowExists(w.Snapshot(), i.Flow); err != nil {
		return nil, unknown, err
	}
	_, err := w.Store().Exec(ctx, `insert into invitations (id, name, flow_id, single_use, fixed_data, created_by, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		i.ID, i.Name, i.Flow, i.SingleUse, sql.JSON(i.FixedData), i.CreatedBy, i.Created, i.Expires)
	if sql.ConflictOn(err, "invitations", "id") {
		return nil, unknown, field.Errorf("pk", field.CodeUnique, "Choose another key; this one is taken.")
	}
	if err != nil {
		return nil, unknown, fmt.Errorf("create invitation: %w", err)
	}
	ref := invitationRef(&i)
	return ref, strangeTo(k.Fields(), unknown), k.record(ctx, w, event.ModelCreated, ref)
}

func (d *invitationData) fill(i *store.Invitation) {
	i.Name, i.Expires, i.FixedData, i.SingleUse, i.Flow = d.Name, d.Expires, d.FixedData, d.SingleUse, d.Flow
}

func dataOf(i *store.Invitation) invitationData {
	return invitationData{i.Name, i.Expires, i.FixedData, i.SingleUse, i.Flow}
}

// Update implements Objects.
func (k *invitation) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	i, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return nil, nil, err
	}
	d := dataOf(i)
	before := field.Encode(&d, field.Public)
	unknown, errs := field.Decode(&d, data, mode)
	if errs != nil {
		return nil, unknown, errs
	}
	next := *i
	d.fill(&next)
	if err := flowExists(w.Snapshot(), next.Flow); err != nil {
		return nil, unknown, err
	}
	changed = differing(before, field.Encode(&d, field.Public))
	if len(changed) > 0 {
		n, err := w.Store().Exec(ctx, "update invitations set name = $2, flow_id = $3, single_use = $4, fixed_data = $5, expires = $6 where id = $1",
			next.ID, next.Name, next.Flow, next.SingleUse, sql.JSON(next.FixedData), next.Expires)
		if err == nil && n == 0 {
			err = ErrGone
		}
		if err != nil {
			return nil, unknown, fmt.Errorf("change invitation: %w", err)
		}
	}
	*ref = *invitationRef(&next)
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *invitation) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	i, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return err
	}
	d := dataOf(i)
	_, errs := field.Decode(&d, data, field.Update)
	return errs.Err()
}

// Delete implements Objects.
func (k *invitation) Delete(ctx context.Context, w *Write, ref *Ref) error {
	n, err := w.Store().Exec(ctx, "delete from invitations where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete invitation: %w", err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// Read implements Objects.
func (k *invitation) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	all := make([]*store.Invitation, len(refs))
	var users []int64
	for n, ref := range refs {
		i, err := k.load(ctx, v.DB, ref)
		if err != nil {
			return nil, err
		}
		if all[n] = i; i.CreatedBy != nil {
			users = append(users, *i.CreatedBy)
		}
	}
	byUser, err := k.usersByID(ctx, v.DB, users)
	if err != nil {
		return nil, err
	}
	for n, i := range all {
		d := dataOf(i)
		m := invitationMembers{PK: i.ID, CreatedBy: userSummary{Username: "AnonymousUser"}}
		if i.CreatedBy != nil && byUser[*i.CreatedBy] != nil {
			m.CreatedBy = k.summarizeUser(byUser[*i.CreatedBy])
		}
		out[n] = field.Encode(&d, field.Public)
		maps.Copy(out[n], field.Encode(&m, field.Public))
		out[n]["flow_obj"] = nil
		if i.Flow == nil {
			continue
		}
		if f, err := k.flows.Find(ctx, v, map[string]any{"pk": i.Flow.String()}); err == nil && f != nil {
			whole, err := k.flows.Read(ctx, v, f)
			if err != nil {
				return nil, err
			}
			out[n]["flow_obj"] = whole[0]
		}
	}
	return out, nil
}

// UsedBy implements Objects. Nothing refers to invitations.
func (k *invitation) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }
