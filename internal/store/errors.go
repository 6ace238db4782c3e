package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/flow"
)

// The errors that callers tell apart. Compare with errors.Is.
var (
	// ErrNotFound says that a QueryRow found no row.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a row with the same unique value exists. The error
	// in hand is a *ConstraintError that names the columns.
	ErrConflict = errors.New("conflict")
	// ErrReferenced says that a foreign key stands in the way: the row referred
	// to is missing, or a row to delete is still referred to.
	ErrReferenced = errors.New("reference violated")
	// ErrNested says that the database was used with the context of a Write
	// instead of the transaction.
	ErrNested = errors.New("database used inside its own write transaction: use the transaction")
	// ErrTxFailed says that a statement was sent to a transaction in which an
	// earlier one had failed, or that such a transaction was to be committed.
	ErrTxFailed = errors.New("transaction already failed")
	// ErrUnavailable says that the database could not be reached, did not
	// answer in time, or takes no writes at the moment. Reading may be tried
	// again at once; of a write it is not known whether it was committed. It is
	// a flow.ErrOverloaded, which asks people and programs to try again.
	ErrUnavailable = fmt.Errorf("database not available: %w", flow.ErrOverloaded)
)

// ConstraintError says which rule of the schema a statement broke. It leaves
// out the values, which may be secret.
type ConstraintError struct {
	// Kind is ErrConflict or ErrReferenced.
	Kind error
	// Table and Columns are where the rule stands. SQLite leaves both empty for
	// a foreign key.
	Table   string
	Columns []string
}

func (e *ConstraintError) Error() string {
	if e.Table == "" {
		return e.Kind.Error()
	}
	return fmt.Sprintf("%v on %s(%s)", e.Kind, e.Table, strings.Join(e.Columns, ", "))
}

// Unwrap returns the kind, so that errors.Is(err, ErrConflict) holds.
func (e *ConstraintError) Unwrap() error { return e.Kind }

// ConflictOn reports whether err is an ErrConflict on exactly these columns of
// table, in the order of the schema.
func ConflictOn(err error, table string, columns ...string) bool {
	var c *ConstraintError
	return errors.As(err, &c) && c.Kind == ErrConflict && c.Table == table && slices.Equal(c.Columns, columns)
}
