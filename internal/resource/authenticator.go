package resource

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/store"
)

// deviceMembers are the members of a device of every kind. Flows make devices; here
// they are seen, renamed and removed.
type deviceMembers struct {
	PK   int64       `json:"pk" field:"readonly"`
	Name string      `json:"name" field:"required"`
	User userSummary `json:"user" field:"readonly"`
}

// defaultMaxName is how long names of devices may be.
const defaultMaxName = 64

// authenticators is one kind of devices. At the addresses of owners, people meet
// their own devices and nobody else's, whatever they may otherwise.
type authenticators struct {
	*made[authenticator.Device]
	kind  authenticator.Kind
	owned bool
	// loss is Registry.loss.
	loss func(ctx context.Context, v View, brand *flow.Brand, owner *identity.Person, device int64) (authenticator.Loss, error)
}

// declareDevices declares the addresses of a kind of devices: those of their owners,
// and those of administrators.
func (r *Registry) declareDevices(p people, kind authenticator.Kind) (own, admin *Kind) {
	t := kind.Type()
	objects := func(owned bool) *authenticators {
		return &authenticators{&made[authenticator.Device]{people: p, model: strings.ToLower(t.Model), what: t.Class + " device", rows: devicesTable(r.devices, t.Class),
			keys: []string{"pk", "id"}, remove: "delete from authenticators where id = $1",
			ref: func(d *authenticator.Device) *Ref { return &Ref{Key: d.ID, Name: d.Name} }}, kind, owned, r.loss}
	}
	var more []access.Verb
	if t.Imported {
		more = append(more, access.Add)
	}
	declare := func(path string, owned bool, calls Calls) *Kind {
		return &Kind{Objects: objects(owned), Model: t.Model, Label: t.Label, Plural: t.Plural, Path: path + t.Class, Param: "id", Key: "pk",
			Schema: t.Schema, Tag: "authenticators", Calls: calls, Alias: !owned, Verbs: more, Filters: []Filter{{Name: "name"}}}
	}
	return declare("authenticators/", true, List|Retrieve|Change|Delete|UsedBy), declare("authenticators/admin/", false, List|Retrieve|Change|Delete)
}

func devicesTable(devices *authenticator.Devices, class string) *table[authenticator.Device] {
	return &table[authenticator.Device]{
		from: "authenticators a", columns: authenticator.Columns, key: "a.id", numeric: true, owner: "a.user_id",
		always:   func(s *statement) { s.where("a.class = ?", class) },
		scan:     devices.Scan,
		order:    map[string]string{"pk": "a.id", "name": "a.name", "user": "a.user_id", "created": "a.created", "last_used": "a.last_used"},
		fallback: "a.id",
		search:   mentions("a.name"),
		filters:  map[string]func(*statement, any){"name": equals("a.name")},
	}
}

// Fields implements Objects.
func (k *authenticators) Fields() []field.Spec {
	out := field.Describe(new(deviceMembers))
	most := k.maxName()
	for i := range out {
		if out[i].Name == "name" {
			out[i].Max = &most
		}
	}
	if shown, ok := k.kind.(authenticator.Shown); ok {
		if more, err := shown.Members(nil); err == nil {
			out = append(out, field.Describe(more)...)
		}
	}
	return out
}

func (k *authenticators) maxName() int64 {
	if n := k.kind.Type().MaxName; n > 0 {
		return int64(n)
	}
	return defaultMaxName
}

// Find implements Objects.
func (k *authenticators) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	ref, err := k.made.Find(ctx, v, match)
	if ref == nil || err != nil || !k.owned {
		return ref, err
	}
	if v.Reader == nil || ref.loaded.(*authenticator.Device).User != v.Reader.ID {
		return nil, nil
	}
	return ref, nil
}

// List implements Objects. Owning a device gives no say at the addresses of
// administrators.
func (k *authenticators) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	bounded := *q
	if k.owned {
		bounded.Scope = access.Scope{}
		if v.Reader != nil {
			bounded.Scope.Owner = v.Reader.ID
		}
	} else {
		bounded.Scope.Owner = 0
	}
	return k.made.List(ctx, v, &bounded)
}

// Read implements Objects.
func (k *authenticators) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	devices := make([]*authenticator.Device, len(refs))
	var users []int64
	for i, ref := range refs {
		d, err := k.load(ctx, v, ref)
		if err != nil {
			return nil, err
		}
		devices[i] = d
		users = append(users, d.User)
	}
	people, err := k.usersByID(ctx, v.DB, users)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(refs))
	for i, d := range devices {
		m := deviceMembers{PK: d.ID, Name: d.Name}
		if u := people[d.User]; u != nil {
			m.User = k.summarizeUser(u)
		}
		out[i] = maps.Clone(field.Encode(&m, field.Public))
		if shown, ok := k.kind.(authenticator.Shown); ok {
			more, err := shown.Members(d)
			if err != nil {
				return nil, err
			}
			maps.Copy(out[i], field.Encode(more, field.Public))
		}
	}
	return out, nil
}

func (k *authenticators) load(ctx context.Context, v View, ref *Ref) (*authenticator.Device, error) {
	if d, ok := ref.loaded.(*authenticator.Device); ok {
		return d, nil
	}
	now, err := k.made.Find(ctx, v, map[string]any{"pk": ref.ID()})
	if err != nil {
		return nil, err
	}
	if now == nil {
		return nil, fmt.Errorf("read %s %s: %w", k.what, ref.ID(), ErrGone)
	}
	return now.loaded.(*authenticator.Device), nil
}

// Update implements Objects: the name is all that is written.
func (k *authenticators) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	d, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return nil, nil, err
	}
	m := deviceMembers{Name: d.Name}
	unknown, errs := field.Decode(&m, data, mode)
	if most := k.maxName(); errs == nil && int64(len([]rune(m.Name))) > most {
		errs = field.Errorf("name", field.CodeMaxLength, "Enter at most %d characters.", most)
	}
	if errs != nil {
		return nil, unknown, errs
	}
	if err := k.mayActOn(ctx, w, d.User); err != nil {
		return nil, unknown, err
	}
	if m.Name == d.Name {
		return nil, unknown, nil
	}
	n, err := w.Store().Exec(ctx, "update authenticators set name = $2, updated = $3 where id = $1", d.ID, m.Name, k.now())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return nil, unknown, fmt.Errorf("rename %s %d: %w", k.what, d.ID, err)
	}
	renamed := *d
	renamed.Name = m.Name
	*ref = *k.point(&renamed)
	changed = []string{"name"}
	return changed, unknown, k.changedNote(ctx, w, ref, changed)
}

// Delete implements Objects. Whoever removes their own has signed in of late: it
// makes the account easier to get into (rule 39). Nobody shuts themselves out.
func (k *authenticators) Delete(ctx context.Context, w *Write, ref *Ref) error {
	d, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return err
	}
	if err := k.mayActOn(ctx, w, d.User); err != nil {
		return err
	}
	if err := w.proven(d.User); err != nil {
		return err
	}
	if p := w.By.Person; p != nil && p.ID == d.User {
		loss, err := k.loss(ctx, w.View(), w.By.Brand, p, d.ID)
		if err == nil && loss == authenticator.ShutOut {
			err = ErrLastDevice
		}
		if err != nil {
			return err
		}
	}
	return k.made.Delete(ctx, w, ref)
}

// ownDevice tells whether somebody has the device.
func ownDevice(ctx context.Context, q store.Querier, p *identity.Person, _ access.Verb, key string) (bool, error) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return false, nil
	}
	var n int
	err = q.QueryRow(ctx, "select count(*) from authenticators where id = $1 and user_id = $2", id, p.ID).Scan(&n)
	return n > 0, err
}
