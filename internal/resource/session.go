package resource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/useragent"
	"github.com/weir-id/weir/policy"
)

const sessionModel = "authentik_core.authenticatedsession"

// sessionRow is a stored session.
type sessionRow struct {
	key       string
	id        uuid.UUID
	user      int64
	ip, agent string
	used, end time.Time
	proofs    []flow.Proof
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
	// Assurance is how sure it is that it is them.
	Assurance assurance `json:"assurance" field:"readonly"`
}

type assurance struct {
	// ACR is aal1 or aal2, or empty where nothing was proved; AMR are methods of RFC 8176.
	ACR string   `json:"acr" field:"required"`
	AMR []string `json:"amr" field:"required"`
	// At is when the newest of it was proved.
	At *time.Time `json:"at" field:"required,null"`
}

func readAssurance(r *sessionRow) assurance {
	a := flow.Assure(r.proofs, r.user)
	out := assurance{ACR: a.ACR, AMR: append([]string{}, a.AMR...)}
	if !a.At.IsZero() {
		out.At = &a.At
	}
	return out
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

// sessions is authentik_core.authenticatedsession: a browser somebody is signed
// in with. Flows make them; here they are seen and ended: the next request of
// one that is deleted is refused on every node (rule 33).
func sessions(p people, locate func(netip.Addr) map[string]any) *made[sessionRow] {
	return &made[sessionRow]{people: p, model: sessionModel, what: "session", rows: sessionsTable(p.now), keys: []string{"uuid", "pk"},
		remove: "delete from sessions where uuid = $1", members: new(sessionMembers),
		show: func(v View, r *sessionRow) map[string]any { return readSession(v, r, locate) },
		ref:  func(r *sessionRow) *Ref { return &Ref{Key: r.id.String(), Name: r.ip} }}
}

// readSession is a session as the API shows it; locate tells where addresses
// are, as policies see it.
func readSession(v View, r *sessionRow, locate func(netip.Addr) map[string]any) map[string]any {
	out := field.Encode(&sessionMembers{UUID: r.id, Current: v.Session != "" && r.key == v.Session, UserAgent: readUserAgent(r.agent), User: r.user,
		LastIP: r.ip, LastUserAgent: r.agent, LastUsed: r.used, Expires: r.end, Assurance: readAssurance(r)}, field.Public)
	if ip, err := netip.ParseAddr(r.ip); err == nil {
		known := locate(ip)
		out["geo_ip"], out["asn"] = known[policy.KeyGeoIP], known[policy.KeyASN]
	}
	return out
}

func sessionsTable(now func() time.Time) *table[sessionRow] {
	return &table[sessionRow]{
		from: "sessions s join users u on u.id = s.user_id", columns: "s.key, s.uuid, s.user_id, s.last_ip, s.last_user_agent, s.last_used, s.expires, s.proofs",
		scan: func(row store.Row) (sessionRow, error) {
			var r sessionRow
			err := row.Scan(&r.key, &r.id, &r.user, &r.ip, &r.agent, &r.used, &r.end, store.JSON(&r.proofs))
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
		if err := k.Delete(ctx, w, k.point(&ended[i])); err != nil && !errors.Is(err, ErrGone) {
			return 0, err
		}
	}
	return len(ended), nil
}
