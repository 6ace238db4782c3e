package sqlite

import (
	"fmt"
	"slices"
	"time"
)

// layout is how the driver writes times (its _time_format=sqlite). Fractions
// lose their trailing zeros; the order as text still is the order in time,
// because both "+" and "." sort before every digit and "+" before ".".
const layout = "2006-01-02 15:04:05.999999999-07:00"

// destinations wraps the pointers to times: the driver knows a time by the
// declared type of its column, which an expression such as max(created) or a
// returning clause does not have.
func destinations(dest []any) []any {
	out := slices.Clone(dest)
	for i, d := range dest {
		switch d := d.(type) {
		case *time.Time:
			out[i] = &moment{to: d}
		case **time.Time:
			out[i] = &moment{null: d}
		}
	}
	return out
}

// moment scans a time into to, or into null where null is allowed.
type moment struct {
	to   *time.Time
	null **time.Time
}

func (m *moment) Scan(src any) error {
	var t time.Time
	switch s := src.(type) {
	case nil:
		if m.null == nil {
			return fmt.Errorf("scan time: the column is null")
		}
		*m.null = nil
		return nil
	case time.Time:
		t = s.UTC()
	case string:
		parsed, err := time.Parse(layout, s)
		if err != nil {
			return fmt.Errorf("scan time: %w", err)
		}
		t = parsed.UTC()
	default:
		return fmt.Errorf("scan time: got %T", src)
	}
	if m.null != nil {
		*m.null = &t
	} else {
		*m.to = t
	}
	return nil
}
