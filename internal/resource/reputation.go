package resource

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/reputation"
	"github.com/weir-id/weir/internal/store"
)

const reputationModel = "authentik_policies_reputation.reputation"

// scoreRow is the score of a name at an address, and what the API shows of it.
type scoreRow struct {
	PK uuid.UUID `json:"pk"`
	// Identifier is the name as names are compared.
	Identifier string         `json:"identifier" field:"required"`
	IP         string         `json:"ip" field:"required"`
	Geo        map[string]any `json:"ip_geo_data"`
	ASN        map[string]any `json:"ip_asn_data"`
	Score      int64          `json:"score"`
	Updated    time.Time      `json:"updated" field:"readonly"`
}

// scores is authentik_policies_reputation.reputation. Logins make them; here they
// are seen, and forgiven.
func scores(p people) *made[scoreRow] {
	return &made[scoreRow]{people: p, model: reputationModel, what: "reputation", rows: scoresTable(p.now), keys: []string{"pk"},
		remove: "delete from reputation where id = $1", members: new(scoreRow), show: func(_ View, r *scoreRow) map[string]any { return field.Encode(r, field.Public) },
		ref: func(r *scoreRow) *Ref { return &Ref{Key: r.PK.String(), Name: r.Identifier + " " + r.IP} }}
}

func scoresTable(now func() time.Time) *table[scoreRow] {
	return &table[scoreRow]{
		from: "reputation r", columns: "r.id, r.identifier, r.ip, r.ip_geo_data, r.ip_asn_data, r.score, r.updated", key: "r.id",
		scan: func(row store.Row) (scoreRow, error) {
			var r scoreRow
			err := row.Scan(&r.PK, &r.Identifier, &r.IP, store.JSON(&r.Geo), store.JSON(&r.ASN), &r.Score, &r.Updated)
			return r, err
		},
		always: func(s *statement) { s.where("r.expires > ?", now()) },
		order: map[string]string{"pk": "r.id", "identifier": "r.identifier", "ip": "r.ip", "score": "r.score", "updated": "r.updated",
			"expires": "r.expires"},
		fallback: "r.score, r.updated desc, r.id",
		search:   mentions("r.identifier", "r.ip"),
		filters: map[string]func(*statement, any){
			"identifier": func(s *statement, want any) { equals("r.identifier")(s, reputation.Identifier(want.(string))) },
			"identifier_in": func(s *statement, want any) {
				names := want.([]any)
				for i, name := range names {
					names[i] = reputation.Identifier(name.(string))
				}
				oneOf("r.identifier")(s, names)
			},
			"ip": func(s *statement, want any) {
				if addr, err := netip.ParseAddr(want.(string)); err == nil {
					want = reputation.Address(addr)
				}
				equals("r.ip")(s, want)
			},
			"score": equals("r.score"),
		},
	}
}

func scoreFilters() []Filter {
	return []Filter{{Name: "identifier"}, {Name: "identifier_in", Many: true, Commas: true}, {Name: "ip"}, filterOf(field.Describe(new(scoreRow)), "score")}
}
