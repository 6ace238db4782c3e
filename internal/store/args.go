package store

import (
	"database/sql/driver"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Args collects the arguments of a statement that is put together from parts:
//
//	var a store.Args
//	where := "kind = " + a.Add(kind) + " and id in " + store.In(&a, ids)
//	rows, err := q.Query(ctx, "select doc from catalog_versions where "+where, a...)
type Args []any

// Add appends v and returns its placeholder, such as "$3".
func (a *Args) Add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

// MaxArgs is how many arguments one statement may have in both databases
// (SQLite's SQLITE_MAX_VARIABLE_NUMBER is the smaller limit).
const MaxArgs = 32766

// In appends the values and returns a list for the operator in, such as
// "($3, $4)". An empty list matches nothing.
func In[T any](a *Args, values []T) string {
	if len(values) == 0 {
		return "(null)"
	}
	var b strings.Builder
	for i, v := range values {
		if i == 0 {
			b.WriteByte('(')
		} else {
			b.WriteString(", ")
		}
		b.WriteString(a.Add(v))
	}
	b.WriteByte(')')
	return b.String()
}

// Bind returns the arguments as both databases take them: times in UTC with
// microseconds, identifiers and documents as text. The two databases call it
// on every statement.
func Bind(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	out := make([]any, len(args))
	for i, arg := range args {
		v, err := bind(arg)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func bind(arg any) (any, error) {
	switch v := arg.(type) {
	case time.Time:
		return utc(v), nil
	case *time.Time:
		if v == nil {
			return nil, nil
		}
		return utc(*v), nil
	case uuid.UUID:
		return v.String(), nil
	case *uuid.UUID:
		if v == nil {
			return nil, nil
		}
		return v.String(), nil
	case driver.Valuer:
		value, err := v.Value()
		if t, ok := value.(time.Time); ok {
			return utc(t), err
		}
		return value, err
	}
	return arg, nil
}

// utc drops what PostgreSQL does not store, so that a time read back equals the
// time written in both databases.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
