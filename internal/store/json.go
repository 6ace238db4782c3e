package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// JSON binds and scans a JSON column. As an argument it stores v (a value or a
// pointer to one) as its JSON text; as a destination v must be a pointer, and a
// null column leaves it untouched.
//
//	tx.Exec(ctx, "update users set attributes = $1 where id = $2", store.JSON(attrs), id)
//	row.Scan(store.JSON(&attrs))
func JSON(v any) *Document { return &Document{v} }

// Document is what JSON returns: a driver.Valuer and a sql.Scanner.
type Document struct{ v any }

// Value returns the document as text.
func (d *Document) Value() (driver.Value, error) {
	b, err := json.Marshal(d.v)
	if err != nil {
		return nil, fmt.Errorf("encode json column: %w", err)
	}
	return string(b), nil
}

// Scan decodes a column into the pointer that JSON was given.
func (d *Document) Scan(src any) error {
	var b []byte
	switch s := src.(type) {
	case nil:
		return nil
	case string:
		b = []byte(s)
	case []byte:
		b = s
	default:
		return fmt.Errorf("decode json column: got %T", src)
	}
	if err := json.Unmarshal(b, d.v); err != nil {
		return fmt.Errorf("decode json column: %w", err)
	}
	return nil
}
