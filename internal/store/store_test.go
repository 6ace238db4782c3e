package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

func TestConflictOn(t *testing.T) {
	err := fmt.Errorf("save: %w", &store.ConstraintError{Kind: store.ErrConflict, Table: "users", Columns: []string{"a", "b"}})
	for _, c := range []struct {
		name    string
		err     error
		table   string
		columns []string
		want    bool
	}{
		{"the same columns", err, "users", []string{"a", "b"}, true},
		{"another order", err, "users", []string{"b", "a"}, false},
		{"fewer columns", err, "users", []string{"a"}, false},
		{"another table", err, "groups", []string{"a", "b"}, false},
		{"a broken reference", &store.ConstraintError{Kind: store.ErrReferenced, Table: "users"}, "users", nil, false},
		{"another error", errors.New("x"), "users", nil, false},
		{"no error", nil, "users", nil, false},
	} {
		if got := store.ConflictOn(c.err, c.table, c.columns...); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
