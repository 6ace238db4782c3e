package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Context is what an execution carries from stage to stage: JSON values and
// references (*PersonRef, *Ref). Its keys are those of the wire, since
// expressions read and write them.
type Context struct {
	values  map[string]any
	changed bool
}

// NewContext returns a context that starts with a copy of values.
func NewContext(values map[string]any) *Context {
	c := &Context{values: maps.Clone(values)}
	if c.values == nil {
		c.values = map[string]any{}
	}
	return c
}

// Value returns a raw value.
func (c *Context) Value(key string) (any, bool) { v, ok := c.values[key]; return v, ok }

// SetValue stores a raw value.
func (c *Context) SetValue(key string, v any) { c.values[key] = v; c.changed = true }

// DeleteValue removes a value.
func (c *Context) DeleteValue(key string) {
	if _, ok := c.values[key]; ok {
		delete(c.values, key)
		c.changed = true
	}
}

// Values returns a copy of the top level.
func (c *Context) Values() map[string]any { return maps.Clone(c.values) }

// Key is a typed context key, declared by the package that owns the value.
type Key[T any] string

// Get returns the value, and false when it is missing or of another type.
func (k Key[T]) Get(c *Context) (T, bool) {
	v, ok := c.values[string(k)].(T)
	return v, ok
}

// Set stores the value.
func (k Key[T]) Set(c *Context, v T) { c.SetValue(string(k), v) }

// Delete removes the value.
func (k Key[T]) Delete(c *Context) { c.DeleteValue(string(k)) }

// The keys that the engine itself reads or that several stages share.
const (
	KeyPendingUser           = Key[*PersonRef]("pending_user")
	KeyPendingUserIdentifier = Key[string]("pending_user_identifier")
	// keyTyped is shown in place of the account as long as nothing was checked.
	keyTyped          = Key[string]("weir_typed")
	KeyUserBackend    = Key[string]("user_backend")
	KeyAuthMethod     = Key[string]("auth_method")
	KeyAuthMethodArgs = Key[map[string]any]("auth_method_args")
	KeyRedirect       = Key[string]("redirect")
	KeyRedirected     = Key[*Ref]("is_redirected")
	KeyRestored       = Key[any]("is_restored")
	KeyPromptData     = Key[map[string]any]("prompt_data")
	KeyApplication    = Key[*Ref]("application")
)

// PersonRef refers to a person from a context: a stored user, read fresh on
// each request, or one who was only typed.
type PersonRef struct {
	ID int64
	// UUID names a user whom this execution has just made, instead of ID.
	UUID uuid.UUID
	// Backend marks that a back end checked the password.
	Backend string
	// Username and Email describe an unsaved user (ID 0).
	Username string
	Email    string
}

// RefTo returns a reference to p.
func RefTo(p *identity.Person) *PersonRef {
	if p.Saved() {
		return &PersonRef{ID: p.ID, Backend: p.Backend}
	}
	return &PersonRef{UUID: p.UUID, Username: p.Username, Email: p.Email, Backend: p.Backend}
}

// Ref refers to a configuration object from a context.
type Ref struct {
	Kind string
	ID   uuid.UUID
	Name string
}

// typeKey marks encoded references; objects that carry the key themselves are
// wrapped, so typed data can never turn into a reference.
const typeKey = "$weir"

// MarshalJSON encodes the values with references as tagged objects.
func (c *Context) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(c.values))
	for k, v := range c.values {
		e, err := encodeValue(v)
		if err != nil {
			return nil, fmt.Errorf("context key %q: %w", k, err)
		}
		out[k] = e
	}
	return json.Marshal(out)
}

// UnmarshalJSON is the reverse.
func (c *Context) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	c.values = make(map[string]any, len(raw))
	for k, v := range raw {
		d, err := decodeValue(v)
		if err != nil {
			return fmt.Errorf("context key %q: %w", k, err)
		}
		c.values[k] = d
	}
	return nil
}

func encodeValue(v any) (any, error) {
	switch v := v.(type) {
	case *PersonRef:
		if v == nil {
			return nil, nil
		}
		return map[string]any{typeKey: "person", "id": v.ID, "uuid": v.UUID.String(), "backend": v.Backend, "username": v.Username, "email": v.Email}, nil
	case *Ref:
		if v == nil {
			return nil, nil
		}
		return map[string]any{typeKey: "ref", "kind": v.Kind, "id": v.ID.String(), "name": v.Name}, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			e, err := encodeValue(item)
			if err != nil {
				return nil, err
			}
			out[k] = e
		}
		if _, clash := v[typeKey]; clash {
			return map[string]any{typeKey: "map", "value": out}, nil
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			e, err := encodeValue(item)
			if err != nil {
				return nil, err
			}
			out[i] = e
		}
		return out, nil
	case []string:
		return v, nil
	case nil, bool, string, int, int32, int64, float64, json.Number:
		return v, nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be kept in a plan", v)
}

func decodeValue(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		for i, item := range v {
			d, err := decodeValue(item)
			if err != nil {
				return nil, err
			}
			v[i] = d
		}
		return v, nil
	case map[string]any:
		return decodeMap(v)
	}
	return v, nil
}

func decodeMap(v map[string]any) (any, error) {
	tag, tagged := v[typeKey].(string)
	if tagged && tag == "map" {
		inner, ok := v["value"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("wrapped object without value")
		}
		return decodeItems(inner)
	}
	items, err := decodeItems(v)
	if err != nil || !tagged {
		return items, err
	}
	text := func(k string) string { s, _ := items[k].(string); return s }
	switch tag {
	case "person":
		id, _ := items["id"].(int64)
		// Plans of before have none.
		made, _ := uuid.Parse(text("uuid"))
		return &PersonRef{ID: id, UUID: made, Backend: text("backend"), Username: text("username"), Email: text("email")}, nil
	case "ref":
		id, err := uuid.Parse(text("id"))
		return &Ref{Kind: text("kind"), ID: id, Name: text("name")}, err
	}
	return nil, fmt.Errorf("unknown reference %q", tag)
}

func decodeItems(v map[string]any) (map[string]any, error) {
	for k, item := range v {
		d, err := decodeValue(item)
		if err != nil {
			return nil, err
		}
		v[k] = d
	}
	return v, nil
}
