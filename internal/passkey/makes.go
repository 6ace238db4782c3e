package passkey

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

//go:embed aaguids.txt
var list string

// DeviceType is a make of passkeys.
type DeviceType struct {
	AAGUID      uuid.UUID `json:"aaguid" field:"required"`
	Description string    `json:"description" field:"required"`
}

// unknown is the description of the entry that stands for all other makes.
const unknown = "Unknown make"

// makes are the known ones, by name; then the one for all others.
var makes = sync.OnceValue(func() []DeviceType {
	var out []DeviceType
	for line := range strings.Lines(list) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || id == "#" {
			continue
		}
		out = append(out, DeviceType{uuid.MustParse(id), name})
	}
	slices.SortFunc(out, func(a, b DeviceType) int {
		return strings.Compare(strings.ToLower(a.Description)+a.AAGUID.String(), strings.ToLower(b.Description)+b.AAGUID.String())
	})
	return append(out, DeviceType{uuid.Nil, unknown})
})

var names = sync.OnceValue(func() map[uuid.UUID]string {
	out := map[uuid.UUID]string{}
	for _, m := range makes() {
		out[m.AAGUID] = m.Description
	}
	delete(out, uuid.Nil)
	return out
})

// Makes lists the known makes by name, and last the entry for all others.
func Makes() []DeviceType { return slices.Clone(makes()) }

// Make is the name of a make, and whether it is known.
func Make(id uuid.UUID) (string, bool) {
	name, ok := names()[id]
	return name, ok
}

// Named describes makes; one that is not known by name has its id for a name.
func Named(ids []uuid.UUID) []DeviceType {
	out := []DeviceType{}
	for _, id := range ids {
		name, ok := Make(id)
		switch {
		case id == uuid.Nil:
			name = unknown
		case !ok:
			name = id.String()
		}
		out = append(out, DeviceType{id, name})
	}
	return out
}
