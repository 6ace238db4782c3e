package event

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// Columns are the columns that Scan reads, of the table called events e.
const Columns = "e.id, e.user_json, e.action, e.app, e.context, e.client_ip, e.created, e.expires, e.brand"

// Scan reads a stored event.
func Scan(row store.Row) (Recorded, error) {
	var e Recorded
	err := row.Scan(&e.ID, store.JSON(&e.User), (*string)(&e.Action), &e.App, store.JSON(&e.Context), &e.ClientIP, &e.Created, &e.Expires, store.JSON(&e.Brand))
	return e, err
}

// row are the columns of an event: the documents, and what they are found by.
func (e *Recorded) row() (names []string, values []any) {
	username := text(e.User["username"])
	about := number(e.User["pk"])
	if typed := text(e.Context["username"]); about == nil && typed != "" {
		username = typed
	}
	model, app, device := inner(e.Context, "model"), inner(e.Context, "authorized_application"), inner(e.Context, "device")
	for _, column := range []struct {
		name  string
		value any
	}{
		{"id", e.ID}, {"action", string(e.Action)}, {"app", e.App}, {"user_json", store.JSON(e.User)}, {"context", store.JSON(e.Context)},
		{"client_ip", e.ClientIP}, {"brand", store.JSON(e.Brand)}, {"created", e.Created}, {"expires", e.Expires}, {"user_id", about},
		{"username", username}, {"brand_name", text(e.Brand["name"])},
		{"model_app", text(model["app"])}, {"model_name", text(model["model_name"])}, {"model_pk", PlainKey(text(model["pk"]))},
		{"authorized_app", PlainKey(text(app["pk"]))}, {"device", PlainKey(text(device["pk"]))},
	} {
		names, values = append(names, column.name), append(values, column.value)
	}
	return names, values
}

func (e *Recorded) insert(ctx context.Context, tx store.Tx) error {
	names, values := e.row()
	var args store.Args
	_, err := tx.Exec(ctx, "insert into events ("+strings.Join(names, ", ")+") values "+store.In(&args, values), args...)
	return err
}

// update writes the event over the stored one of the same id.
func (e *Recorded) update(ctx context.Context, tx store.Tx) error {
	names, values := e.row()
	var args store.Args
	set := make([]string, len(names))
	for i, name := range names {
		set[i] = name + " = " + args.Add(values[i])
	}
	n, err := tx.Exec(ctx, "update events set "+strings.Join(set, ", ")+" where id = $1", args...)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// PlainKey is the key of an object as events write it: without the dashes of a
// UUID.
func PlainKey(key string) string {
	if id, err := uuid.Parse(key); err == nil {
		return hexID(id)
	}
	return key
}

// text is a member of a document as text, "" for objects and lists.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// number is the key of a user in a document, nil for none.
func number(v any) *int64 {
	switch v := v.(type) {
	case int64:
		return &v
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return &n
		}
	case float64:
		if n := int64(v); v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return &n
		}
	}
	return nil
}

func inner(m map[string]any, name string) map[string]any {
	out, _ := m[name].(map[string]any)
	return out
}

// Recorded events show themselves to expressions.
var _ interface {
	Attr(name string) (any, bool)
} = (*Recorded)(nil)

// Attr returns an attribute as expressions see it; see package expression.
func (e *Recorded) Attr(name string) (any, bool) {
	switch name {
	case "pk", "event_uuid":
		return e.ID, true
	case "action":
		return string(e.Action), true
	case "app":
		return e.App, true
	case "client_ip":
		return e.ClientIP, true
	case "context":
		return e.Context, true
	case "user":
		return e.User, true
	case "brand":
		return e.Brand, true
	case "created":
		return e.Created, true
	case "expires":
		return e.Expires, true
	}
	return nil, false
}

// String names the event.
func (e *Recorded) String() string { return fmt.Sprintf("%s event %s", e.Action, e.ID) }
