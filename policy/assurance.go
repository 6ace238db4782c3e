package policy

import "github.com/weir-id/weir/identity"

// KeyAssurance is where policies find how sure it is that the visitor is the person
// whom they decide about.
const KeyAssurance = "assurance"

// unsure is what most people are while a flow is planned; nobody writes into it.
var unsure = map[string]any{"acr": "", "amr": []any{}}

// Assured is an assurance as expressions see it, to be read only.
func Assured(a identity.Assurance) map[string]any {
	if a.ACR == "" {
		return unsure
	}
	methods := make([]any, len(a.AMR))
	for i, m := range a.AMR {
		methods[i] = m
	}
	return map[string]any{"acr": a.ACR, "amr": methods}
}
