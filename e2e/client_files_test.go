package e2e

import (
	"strings"
	"testing"
)

// TestOfficialClientImportsAndExports: files go in and out through the official client, an
// export imports as it was, and what is refused leaves nothing.
func TestOfficialClientImportsAndExports(t *testing.T) {
	const file = `version: 1
metadata: {name: by the client}
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: by-the-client}, attrs: {name: C, title: C, designation: enrollment}}
- {model: authentik_stages_dummy.dummystage, id: stage, identifiers: {name: by-the-client}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}}
`
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			send := func(text string) apiCall {
				return apiCall{API: "ManagedApi", Call: "managedBlueprintsImportCreate", Schema: "BlueprintImportResult", Args: object{"file": "file:" + text}, Token: token}
			}
			export := apiCall{API: "FlowsApi", Call: "flowsInstancesExportRetrieve", Args: object{"slug": "by-the-client"}, Token: token, Text: true}
			got := official(t, s, export, send(strings.Replace(file, "dummystage, id", "dummystag, id", 1)), export, send(file), export)
			for i, want := range []int{404, 200, 404, 200, 200} {
				if got[i].Status != want {
					t.Fatalf("call %d: %d %v", i, got[i].Status, got[i].Raw)
				}
			}
			if got[1].Data["success"] != false || got[3].Data["success"] != true {
				t.Errorf("imported: %v, %v", got[1].Data, got[3].Data)
			}
			text, _ := got[4].Raw.(string)
			if !strings.Contains(text, "slug: by-the-client") {
				t.Fatalf("exported: %s", text)
			}
			again := official(t, s, send(text), export)
			if again[0].Data["success"] != true || without(again[1].Raw) != without(text) {
				t.Errorf("imported again: %v\n%v", again[0].Data, again[1].Raw)
			}
			other := newSite(t, db)
			if there := official(t, other, send(text), export); there[0].Data["success"] != true || without(there[1].Raw) != without(text) {
				t.Errorf("imported elsewhere: %v\n%v", there[0].Data, there[1].Raw)
			}
		})
	}
}

// without is an export without the line that tells when it was made.
func without(raw any) string {
	text, _ := raw.(string)
	var out []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "Weir Export - ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
