package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/weir-id/weir/internal/store"
)

// translate turns the driver's error into the store's.
func translate(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		// An interrupted statement says "interrupted", not why.
		return fmt.Errorf("%w: %w", cause, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		table, columns := place(e.Error())
		return &store.ConstraintError{Kind: store.ErrConflict, Table: table, Columns: columns}
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return &store.ConstraintError{Kind: store.ErrReferenced}
	}
	return err
}

// place reads "... UNIQUE constraint failed: users.a, users.b (2067)".
func place(message string) (table string, columns []string) {
	_, list, ok := strings.Cut(message, "UNIQUE constraint failed: ")
	if !ok {
		return "", nil
	}
	if i := strings.LastIndex(list, " ("); i >= 0 {
		list = list[:i]
	}
	for name := range strings.SplitSeq(list, ", ") {
		t, column, ok := strings.Cut(name, ".")
		if !ok {
			return "", nil
		}
		table, columns = t, append(columns, column)
	}
	return table, columns
}

// transient reports whether the file was busy for longer than the driver waits.
// SQLite says so before it commits, never after.
func transient(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == lib.SQLITE_BUSY
}
