package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// Object is one version of a configuration object. It never changes: a write
// makes another one.
type Object struct {
	ID   uuid.UUID
	Kind string
	// Type is the stage or policy type; empty for kinds without types.
	Type string
	// Version is the revision that wrote this version.
	Version int64
	Created time.Time
	Updated time.Time
	// Doc is the typed document: *flow.Flow, *flow.StageObject, ... It is
	// shared and must not be changed.
	Doc any
	// Err says why the stored document could not be read or built. Such an
	// object stays, so that it can be repaired or deleted, and denies.
	Err error

	// unread is set when Doc lacks something that is stored.
	unread bool
	// kind is what Kind names.
	kind *kind
	// order is when the object was created: the revision, and the place
	// within it. It breaks ties of the default order.
	order [2]int64
}

// PolicyTarget is the id under which policies are bound to the object; false
// when none can be.
func (o *Object) PolicyTarget() (uuid.UUID, bool) {
	if o.kind.ownTarget {
		return o.ID, true
	}
	return PolicyTargetID(o.ID), o.kind.target
}

// document is how a version is stored.
type document struct {
	Created time.Time      `json:"created"`
	Updated time.Time      `json:"updated"`
	Order   [2]int64       `json:"order"`
	Fields  map[string]any `json:"fields"`
	// Sealed holds the fields tagged secret.
	Sealed []byte `json:"sealed,omitempty"`
}

// Sealer hides the fields that are tagged secret; seal.Box is one.
type Sealer interface {
	Seal(plain []byte, place string) []byte
	Open(sealed []byte, place string) ([]byte, error)
}

// cached is one built stage or policy, shared by all versions with the same
// content.
type cached struct {
	mu    sync.Mutex
	done  bool
	value any
	err   error
}

// once builds on first use.
func (c *cached) once(make func() (any, error)) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.value, c.err = make()
		c.done = true
	}
	return c.value, c.err
}

// maxBuilt bounds how many built stages and policies are remembered beyond
// those in use.
const maxBuilt = 4096

// fields returns the document as JSON values, secrets included.
func (c *Catalog) fields(k *kind, doc any) map[string]any {
	out := map[string]any{}
	for _, part := range k.parts(doc) {
		maps.Copy(out, field.Encode(part, field.WithSecrets))
	}
	return out
}

// encode returns the stored form of an object.
func (c *Catalog) encode(k *kind, o *Object) ([]byte, error) {
	d := document{Created: o.Created, Updated: o.Updated, Order: o.order, Fields: c.fields(k, o.Doc)}
	secrets := map[string]any{}
	for _, part := range k.parts(o.Doc) {
		for _, name := range field.Secrets(part) {
			secrets[name] = d.Fields[name]
			delete(d.Fields, name)
		}
	}
	if len(secrets) > 0 {
		plain, err := json.Marshal(secrets)
		if err != nil {
			return nil, fmt.Errorf("encode secrets of %s %s: %w", o.Kind, o.ID, err)
		}
		d.Sealed = c.seal.Seal(plain, sealPlace(o))
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", o.Kind, o.ID, err)
	}
	return data, nil
}

// sealPlace binds sealed fields to their object.
func sealPlace(o *Object) string { return "catalog " + o.Kind + " " + o.ID.String() }

// decode reads a stored version. A document that no longer decodes or builds
// keeps its object, with an error that denies wherever it is used; the start
// goes on; log is told. It returns nil for a kind that only a later program knows.
func (c *Catalog) decode(log *slog.Logger, o *Object, data []byte) *Object {
	k, ok := c.registry.byName[o.Kind]
	if !ok {
		log.Warn("stored object is of an unknown kind", "kind", o.Kind, "id", o.ID)
		return nil
	}
	o.kind = k
	var d document
	broken := unmarshal(data, &d)
	o.Created, o.Updated, o.order = d.Created, d.Updated, d.Order
	if len(d.Sealed) > 0 {
		broken = errors.Join(broken, c.openSecrets(o, &d))
	}
	doc, known := k.fresh(o.Type)
	if !known {
		doc = k.stranger(o.Type)
		broken = errors.Join(broken, fmt.Errorf("unknown type %q", o.Type))
	}
	for _, part := range k.parts(doc) {
		if _, errs := field.Decode(part, d.Fields, field.Stored); errs != nil {
			broken = errors.Join(broken, errs)
		}
	}
	o.Doc, o.unread = doc, broken != nil
	if broken == nil {
		broken = c.build(k, o)
	}
	if broken != nil {
		o.fail(broken)
		log.Error("stored object is not usable", "kind", o.Kind, "type", o.Type, "id", o.ID, "error", broken)
	}
	c.identify(o)
	return o
}

// unmarshal keeps whole numbers whole: as float64 they would differ from what
// was written, and lose digits.
func unmarshal(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(v)
}

// fail marks the object as unusable.
func (o *Object) fail(err error) {
	o.Err = err
	if o.kind.fail != nil {
		o.kind.fail(o.Doc, err)
	}
}

func (c *Catalog) openSecrets(o *Object, d *document) error {
	plain, err := c.seal.Open(d.Sealed, sealPlace(o))
	if err != nil {
		return fmt.Errorf("open secrets: %w", err)
	}
	secrets := map[string]any{}
	if err := unmarshal(plain, &secrets); err != nil {
		return fmt.Errorf("decode secrets: %w", err)
	}
	if d.Fields == nil {
		d.Fields = map[string]any{}
	}
	maps.Copy(d.Fields, secrets)
	return nil
}

// build makes what runs, once for each content.
func (c *Catalog) build(k *kind, o *Object) error {
	if k.build == nil {
		return nil
	}
	data, err := json.Marshal(c.fields(k, o.Doc))
	if err != nil {
		return fmt.Errorf("hash %s %s: %w", o.Kind, o.ID, err)
	}
	key := sha256.Sum256(append([]byte(o.Kind+"/"+o.Type+"\n"), data...))
	built, ok := c.built.Get(key)
	if !ok {
		built = &cached{}
		c.built.Put(key, built)
	}
	return k.build(o.Doc, built)
}

// identify tells the document which object it is.
func (c *Catalog) identify(o *Object) {
	if d, ok := o.Doc.(interface{ SetIdentity(uuid.UUID, int64) }); ok {
		d.SetIdentity(o.ID, o.Version)
	}
}

// Parts returns the structs whose fields make up the document of an object.
// They are shared and must not be changed.
func (c *Catalog) Parts(o *Object) []any { return o.kind.parts(o.Doc) }
