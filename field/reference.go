package field

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/uuid"
)

// What happens to an object when the one it refers to is deleted.
const (
	// Cascade deletes it too.
	Cascade = "cascade"
	// Null empties the field, or takes the id out of the list.
	Null = "null"
)

// Reference is one id that a document holds.
type Reference struct {
	// Field is the wire name.
	Field string
	// Kind and Type say what the id belongs to; Type is empty when all types
	// of the kind will do.
	Kind, Type string
	// ID is the id as text: a UUID, or a number for users.
	ID string
	// OnDelete is Cascade or Null.
	OnDelete string
}

// References returns the ids that a document, a pointer to a struct, refers to,
// in the order of its fields. Unset fields give none.
func References(doc any) []Reference {
	v := reflect.ValueOf(doc).Elem()
	var out []Reference
	for _, f := range layoutOf(v.Type()).fields {
		if f.Ref == "" {
			continue
		}
		kind, typ, _ := strings.Cut(f.Ref, ":")
		for _, id := range ids(v.FieldByIndex(f.index)) {
			out = append(out, Reference{Field: f.Name, Kind: kind, Type: typ, ID: id, OnDelete: f.del})
		}
	}
	return out
}

func ids(v reflect.Value) []string {
	if id, ok := v.Interface().(uuid.UUID); ok {
		if id == uuid.Nil {
			return nil
		}
		return []string{id.String()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return ids(v.Elem())
	case reflect.Slice:
		var out []string
		for i := range v.Len() {
			out = append(out, ids(v.Index(i))...)
		}
		return out
	case reflect.String:
		if v.String() == "" {
			return nil
		}
	}
	return []string{fmt.Sprint(v.Interface())}
}

// Unlink empties the field called name where it holds id, or takes id out of a
// list. It replaces the value, so copies made by Copy keep theirs.
func Unlink(doc any, name, id string) {
	v := reflect.ValueOf(doc).Elem()
	f, ok := layoutOf(v.Type()).byName[name]
	if !ok {
		return
	}
	target := v.FieldByIndex(f.index)
	if target.Kind() != reflect.Slice {
		if held := ids(target); len(held) == 1 && held[0] == id {
			target.SetZero()
		}
		return
	}
	out := reflect.MakeSlice(target.Type(), 0, target.Len())
	for i := range target.Len() {
		if held := ids(target.Index(i)); len(held) == 1 && held[0] == id {
			continue
		}
		out = reflect.Append(out, target.Index(i))
	}
	target.Set(out)
}
