package weir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestADryRunOfAnImportKeepsNothing(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		const file = "version: 1\nentries:\n- {model: authentik_stages_dummy.dummystage, identifiers: {name: new-stage}}\n" +
			"- {model: authentik_flows.flow, identifiers: {slug: default-recovery-flow}, attrs: {title: Another title}}\n" +
			"- {model: authentik_core.group, identifiers: {name: Friends}, attrs: {attributes: {color: blue}}}\n"
		before := func() string {
			return fmt.Sprint(o.site.catalog.Snapshot().Revision(), rows(t, o.site, "select count(*) from groups"), o.events(), rows(t, o.site, "select count(*) from mails"))
		}
		c := admin(t, o.site)
		was := before()
		status, body := c.send("managed/blueprints/import/", file, "dry_run", "true")
		changes := body["changes"]
		if status != 200 || body["success"] != true || len(changes.([]any)) != 3 || told(difference(changes, "flow:default-recovery-flow")) == "" ||
			told(difference(changes, "group:Friends")) != "name: <nil> -> Friends; attributes: <nil> -> map[color:blue]" || difference(changes, "stage:new-stage")["op"] != "+" {
			t.Errorf("a dry run: %d %v", status, body)
		}
		if before() != was {
			t.Errorf("it left %s, before it was %s", before(), was)
		}
		if status, body := c.send("managed/blueprints/import/", file, "dry_run", "perhaps"); status != 400 || body["dry_run"] == nil {
			t.Errorf("perhaps: %d %v", status, body)
		}
		if status, body := c.send("managed/blueprints/import/", "entries: [{model: authentik_flows.flow, identifiers: {slug: a b}}]", "dry_run", "true"); status != 200 || body["success"] != false || len(body["changes"].([]any)) != 0 {
			t.Errorf("a bad file: %d %v", status, body)
		}
		// Who may write but not view learns no values.
		blind := delegate(t, o.site, "blind", "add_flow", "change_flow", "delete_flow")
		file2 := "version: 1\nentries: [{model: authentik_flows.flow, identifiers: {slug: default-recovery-flow}, attrs: {title: Another title}}]\n"
		if status, body := blind.send("managed/blueprints/import/", file2, "dry_run", "true"); status != 200 || body["success"] != true || len(body["changes"].([]any)) != 0 {
			t.Errorf("somebody without the permission to view: %d %v", status, body)
		}
		if _, body := c.send("managed/blueprints/import/", file); body["success"] != true || len(body["changes"].([]any)) != 0 || before() == was {
			t.Errorf("in earnest: %v", body)
		}
	})
}

func TestDrift(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const file = "version: 1\nentries: [{model: authentik_flows.flow, identifiers: {slug: %s}, attrs: {name: a, title: As in the file, designation: recovery}}]\n"
		s.Blueprints = t.TempDir()
		for name, text := range map[string]string{"one.yaml": fmt.Sprintf(file, "one"), "two.yaml": fmt.Sprintf(file, "two"),
			"hand.yaml": "metadata: {name: x, labels: {blueprints.goauthentik.io/instantiate: \"false\"}}\n" + fmt.Sprintf(file, "three")} {
			if err := os.WriteFile(filepath.Join(s.Blueprints, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := openOffice(t, s)
		made := o.must("POST", "managed/blueprints/", m{"name": "Instance", "content": fmt.Sprintf(file, "four")})
		o.must("POST", "managed/blueprints/", m{"name": "Off", "content": fmt.Sprintf(file, "five"), "enabled": false})
		drift := func() map[string]m {
			a := o.call(root, "GET", "weir/drift/", nil)
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.raw)
			}
			out := map[string]m{}
			for _, one := range a.list {
				out[one.(m)["blueprint"].(string)] = one.(m)
			}
			return out
		}
		all := drift()
		if len(all) != 3 || all["Instance"]["pk"] != made["pk"] || all["one.yaml"] == nil || all["two.yaml"] == nil {
			t.Errorf("compared with %v", all)
		}
		for name, d := range all {
			if len(d["changes"].([]any)) != 0 || d["problem"] != "" {
				t.Errorf("%s has drifted: %v", name, d)
			}
		}
		o.must("PATCH", "flows/instances/two/", m{"title": "By hand"})
		o.must("DELETE", "flows/instances/four/", nil)
		if err := os.WriteFile(filepath.Join(s.Blueprints, "bad.yaml"), []byte("version: 1\nentries: [{model: authentik_flows.flow, identifiers: {slug: a b}}]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		was := o.site.catalog.Snapshot().Revision()
		all = drift()
		if got := told(difference(all["two.yaml"]["changes"], "flow:two")); got != "title: By hand -> As in the file" {
			t.Errorf("a changed flow: %s", got)
		}
		if d := difference(all["Instance"]["changes"], "flow:four"); d["op"] != "+" || len(all["one.yaml"]["changes"].([]any)) != 0 {
			t.Errorf("a deleted flow: %v", all)
		}
		if problem, _ := all["bad.yaml"]["problem"].(string); !strings.Contains(problem, "bad.yaml:2") {
			t.Errorf("a bad file: %v", all["bad.yaml"])
		}
		if o.site.catalog.Snapshot().Revision() != was {
			t.Error("looking has changed something")
		}
		found, err := o.site.Drift(t.Context())
		if err != nil || len(found) != 4 || !slices.ContainsFunc(found, func(d Drift) bool { return d.Blueprint == "two.yaml" && len(d.Changes) == 1 }) {
			t.Errorf("the command sees %v, %v", found, err)
		}
	})
}
