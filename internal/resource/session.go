package resource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/useragent"
	"github.com/weir-id/weir/policy"
)

// session is authentik_core.authenticatedsession: a browser somebody is signed
// in with. Flows make them; here they are seen and ended.
type session struct {
	people
	rows *table[sessionRow]
	// locate tells where addresses are, as policies see it.
	locate func(netip.Addr) map[string]any
}

const sessionModel = "authentik_core.authenticatedsession"

// sessionRow is a stored session.
type sessionRow struct {
	key       string
	id        uuid.UUID
	user      int64
	ip, agent string
	used, end time.Time
}

// sessionMembers are the members of a session; nothing of it is written.
type sessionMembers struct {
	UUID      uuid.UUID `json:"uuid"`
	Current   bool      `json:"current" field:"readonly"`
	UserAgent userAgent `json:"user_agent" field:"readonly"`
	// GeoIP and ASN are looked up; null where nothing is known.
	GeoIP         *geoIP    `json:"geo_ip" field:"readonly,null"`
	ASN           *asn      `json:"asn" field:"readonly,null"`
	User          int64     `json:"user" field:"required"`
	LastIP        string    `json:"last_ip" field:"readonly"`
	LastUserAgent string    `json:"last_user_agent" field:"readonly"`
	LastUsed      time.Time `json:"last_used" field:"readonly"`
	Expires       time.Time `json:"expires" field:"readonly"`
}

type userAgent struct {
	Device struct {
		Brand  *string `json:"brand" field:"required,null"`
		Family string  `json:"family" field:"required"`
		Model  *string `json:"model" field:"required,null"`
	} `json:"device" field:"required"`
	OS struct {
		Family     string  `json:"family" field:"required"`
		Major      *string `json:"major" field:"required,null"`
		Minor      *string `json:"minor" field:"required,null"`
		Patch      *string `json:"patch" field:"required,null"`
		PatchMinor *string `json:"patch_minor" field:"required,null"`
	} `json:"os" field:"required"`
	Browser struct {
		Family string `json:"family" field:"required"`
		Major  string `json:"major" field:"required"`
		Minor  string `json:"minor" field:"required"`
		Patch  string `json:"patch" field:"required"`
	} `json:"user_agent" field:"required"`
	String string `json:"string" field:"required"`
}

type geoIP struct {
	Continent *string `json:"continent" field:"required,null"`
	Country   *string `json:"country" field:"required,null"`
	Lat       float64 `json:"lat" field:"required,null"`
	Long      float64 `json:"long" field:"required,null"`
	City      string  `json:"city" field:"required"`
}

type asn struct {
	ASN     int64   `json:"asn" field:"required,null"`
	ASOrg   *string `json:"as_org" field:"required,null"`
	Network *string `json:"network" field:"required,null"`
}

// known is a text, nil when there is none.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func readUserAgent(header string) userAgent {
	a := useragent.Parse(header)
	var u userAgent
	u.Device.Family, u.Device.Brand, u.Device.Model = a.Device.Family, known(a.Device.Brand), known(a.Device.Model)
	u.OS.Family, u.OS.Major, u.OS.Minor, u.OS.Patch = a.System.Family, known(a.System.Major), known(a.System.Minor), known(a.System.Patch)
	u.Browser.Family, u.Browser.Major, u.Browser.Minor, u.Browser.Patch = a.Browser.Family, a.Browser.Major, a.Browser.Minor, a.Browser.Patch
	u.String = a.String()
	return u
}

// Fields implements Objects.
func (k *session) Fields() []field.Spec { return field.Describe(new(sessionMembers)) }

func sessionRef(r *sessionRow) *Ref {
	return &Ref{Model: sessionModel, Key: r.id.String(), Name: r.ip, loaded: r}
}

// Find implements Objects.
func (k *session) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(sessionModel, match, map[string]matchType{"uuid": matchUUID, "pk": matchUUID})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	for _, want := range match {
		s.where("s.uuid = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
	}
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition()+" limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find session: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return sessionRef(&found[0]), nil
}

// List implements Objects.
func (k *session) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	rows, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = sessionRef(&rows[i])
	}
	return refs, total, err
}

func sessionsTable(now func() time.Time) *table[sessionRow] {
	return &table[sessionRow]{
		from: "sessions s join users u on u.id = s.user_id", columns: "s.key, s.uuid, s.user_id, s.last_ip, s.last_user_agent, s.last_used, s.expires",
		scan: func(row store.Row) (sessionRow, error) {
			var r sessionRow
			err := row.Scan(&r.key, &r.id, &r.user, &r.ip, &r.agent, &r.used, &r.end)
			return r, err
		},
		key: "s.uuid", owner: "s.user_id",
		always: func(s *statement) { s.where("s.expires > ?", now()) },
		order: map[string]string{"uuid": "s.uuid", "user": "s.user_id", "user__username": "u.username_key", "last_ip": "s.last_ip",
			"session__last_ip": "s.last_ip", "last_user_agent": "s.last_user_agent", "session__last_user_agent": "s.last_user_agent",
			"last_used": "s.last_used", "session__last_used": "s.last_used", "expires": "s.expires", "session__expires": "s.expires"},
		fallback: "u.username_key, s.uuid",
		search:   mentions("u.username", "s.last_ip", "s.last_user_agent"),
		filters: map[string]func(*statement, any){
			"session__last_ip": equals("s.last_ip"), "session__last_user_agent": equals("s.last_user_agent"), "user__username": equals("u.username"),
		},
	}
}

func sessionFilters() []Filter {
	return []Filter{{Name: "session__last_ip"}, {Name: "session__last_user_agent"}, {Name: "user__username"}}
}

// Create implements Objects.
func (k *session) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(sessionModel)
}

// Update implements Objects.
func (k *session) Update(context.Context, *Write, *Ref, map[string]any, field.Mode) (changed, unknown []string, err error) {
	return nil, nil, never(sessionModel)
}

// Check implements Objects.
func (k *session) Check(context.Context, *Write, *Ref, map[string]any) error {
	return never(sessionModel)
}

// Delete ends a session: its next request is refused on every node (rule 33).
func (k *session) Delete(ctx context.Context, w *Write, ref *Ref) error {
	n, err := w.Store().Exec(ctx, "delete from sessions where uuid = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("end session %s: %w", ref.ID(), err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// EndSessions ends the living sessions of the users, as far as they are in the
// scope, and returns how many.
func (r *Registry) EndSessions(ctx context.Context, w *Write, users []int64, scope access.Scope) (int, error) {
	k := r.session
	s := &statement{dialect: w.Store().Dialect()}
	ids := make([]any, len(users))
	for i, id := range users {
		ids[i] = id
	}
	k.rows.always(s)
	s.terms = append(s.terms, "s.user_id in "+s.in(ids))
	k.rows.scope(s, scope)
	ended, err := store.Select(ctx, w.Store(), k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition()+" order by s.uuid", s.args...)
	if err != nil {
		return 0, fmt.Errorf("find sessions to end: %w", err)
	}
	for i := range ended {
		// One that has ended in the meantime is no fault.
		if err := k.Delete(ctx, w, sessionRef(&ended[i])); err != nil && !errors.Is(err, ErrGone) {
			return 0, err
		}
	}
	return len(ended), nil
}

// Read implements Objects.
func (k *session) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		row, ok := ref.loaded.(*sessionRow)
		if !ok {
			now, err := k.Find(ctx, v, map[string]any{"uuid": ref.ID()})
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("read session %s: %w", ref.ID(), ErrGone)
			}
			row = now.loaded.(*sessionRow)
		}
		m := sessionMembers{UUID: row.id, Current: v.Session != "" && row.key == v.Session, UserAgent: readUserAgent(row.agent), User: row.user,
			LastIP: row.ip, LastUserAgent: row.agent, LastUsed: row.used, Expires: row.end}
		out[i] = field.Encode(&m, field.Public)
		if ip, err := netip.ParseAddr(row.ip); err == nil {
			known := k.locate(ip)
			out[i]["geo_ip"], out[i]["asn"] = known[policy.KeyGeoIP], known[policy.KeyASN]
		}
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *session) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }
