package weir

import (
	"fmt"
	"testing"
)

// built are the builds of an answer of the version history.
func built(a answer) string {
	var out []any
	for _, v := range a.list {
		out = append(out, v.(m)["build"])
	}
	return fmt.Sprint(a.status, out)
}

func TestTheVersionsThatHaveRunAreKnown(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		now := "weir-" + Version
		// This one is there from the start; it comes again, others follow, and it
		// comes back.
		for _, version := range []string{Version, "1.2", "1.2", "2.0-rc", Version} {
			if err := o.site.recordVersion(t.Context(), version); err != nil {
				t.Fatal(err)
			}
		}
		for query, want := range map[string]string{
			"":                                  fmt.Sprint(200, []string{now, "weir-2.0-rc", "weir-1.2", now}),
			"?ordering=build":                   fmt.Sprint(200, []string{"weir-1.2", "weir-2.0-rc", now, now}),
			"?ordering=-id&build=weir-1.2":      "200 [weir-1.2]",
			"?search=rc":                        "200 [weir-2.0-rc]",
			"?version=1999.1":                   "200 []",
			"?version=2026.8.3&build=weir-none": "200 []",
		} {
			if got := built(o.call(root, "GET", "admin/version/history/"+query, nil)); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		one := o.must("GET", "admin/version/history/2/", nil)
		if one["build"] != "weir-1.2" || one["version"] != "2026.8.3" || one["id"] != 2.0 {
			t.Errorf("the second is %v", one)
		}
		for _, id := range []string{"5", "x", "99999999999999999999"} {
			if got := o.call(root, "GET", "admin/version/history/"+id+"/", nil).status; got != 404 {
				t.Errorf("%s: status %d", id, got)
			}
		}
		_, viewer := o.clerk("viewer", "authentik_rbac.view_system_info")
		_, other := o.clerk("other")
		for token, want := range map[string]int{viewer: 200, other: 403, "": 403} {
			if got := o.call(token, "GET", "admin/version/history/", nil).status; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		}
	})
}
