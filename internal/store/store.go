// Package store is the contract between Weir and its database.
//
// It declares what a query may use (Querier), what one write transaction is
// (Tx) and what an open database offers (DB). The packages sqlite and postgres
// fulfil it, dial opens the one that the settings name, storetest holds both to
// the same behaviour. Queries themselves do not live here: each stands beside
// the type it loads, once, in SQL that both databases run, with $1 placeholders.
//
// The rules that make one text serve both databases:
//
//   - Times go in as UTC with microseconds and come out as UTC, whatever zone
//     the argument had. SQLite compares them as text, so nothing else is safe.
//   - uuid.UUID binds to and scans from text columns.
//   - JSON columns are bound and scanned through JSON.
//   - A statement that failed ends its transaction, in SQLite too: every later
//     statement is refused and Write returns an error.
//   - Rows are closed before the next statement of the same transaction.
package store

import "context"

// Dialect names the database behind a DB. It is consulted only for row
// locking, text search and JSON containment.
type Dialect int

// The two databases that Weir runs on.
const (
	SQLite Dialect = iota + 1
	Postgres
)

// String returns "sqlite" or "postgres".
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "unknown"
}

// ForUpdate is the clause that locks the selected rows until the transaction
// ends: " for update" in PostgreSQL, nothing in SQLite, whose one writer already
// excludes all others.
func (d Dialect) ForUpdate() string {
	if d == Postgres {
		return " for update"
	}
	return ""
}

// Querier is what a query needs. A DB and a Tx are both one.
type Querier interface {
	// Exec runs a statement and returns how many rows it changed.
	Exec(ctx context.Context, sql string, args ...any) (rowsAffected int64, err error)
	// Query runs a statement that returns rows. The caller closes them; Select
	// does so itself.
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	// QueryRow runs a statement of which only the first row is wanted. Every
	// error, ErrNotFound for no row among them, comes from Scan.
	QueryRow(ctx context.Context, sql string, args ...any) Row
}

// Row is one row of a result.
type Row interface {
	// Scan copies the columns into the pointers dest. A column that may be null
	// needs a pointer to a pointer. It returns ErrNotFound if there is no row.
	Scan(dest ...any) error
}

// Rows is a result that is being read. It holds a connection until Close.
type Rows interface {
	Row
	Next() bool
	// Err is the error that made Next return false, nil at the regular end.
	Err() error
	// Close may be called more than once.
	Close()
}

// Tx is one open write transaction. It is used by one goroutine and is dead
// once the function given to Write has returned.
type Tx interface {
	Querier
	// FlowTx marks a Tx as the transaction that package flow hands to outcomes
	// without knowing about SQL.
	FlowTx()
	// AfterCommit has fn called once the transaction is committed, in order, on
	// the goroutine of Write. It is not called if the transaction fails.
	AfterCommit(fn func())
	Dialect() Dialect
}

// DB is an open database with the current schema. It is safe for concurrent use.
//
// Query and QueryRow on a DB only read; each is a statement on its own, and
// SQLite refuses one that writes. Exec is a write transaction of one statement.
// None of them may be called with the context that Write passes on: a callback
// that waits for a second connection while it holds the first one could wait
// for ever, so they return ErrNested.
type DB interface {
	Querier
	// Write runs fn in one write transaction and commits if fn returns nil.
	// A transaction that the database gave up because of others (a deadlock,
	// a serialization failure, a busy file) is run again, so fn must have no
	// effect outside of tx except through AfterCommit. A Write inside a Write
	// returns ErrNested.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	Dialect() Dialect
	// Notify sends payload to the listeners of channel when tx commits. The
	// payload holds at most MaxPayloadBytes.
	Notify(ctx context.Context, tx Tx, channel, payload string) error
	// Listen calls heard for every notification on channel until ctx ends or
	// the database is closed. It returns once it listens; heard is then called
	// from one goroutine. An empty payload means that the connection was lost
	// for a while and notifications may have been missed. SQLite hears only the
	// notifications of its own process.
	Listen(ctx context.Context, channel string, heard func(payload string)) error
	// Ping returns nil if the database answers.
	Ping(ctx context.Context) error
	// Close ends the listeners and waits for the statements under way.
	Close() error
}

// MaxPayloadBytes is the longest payload of a notification (a limit of
// PostgreSQL's NOTIFY, which SQLite keeps as well).
const MaxPayloadBytes = 7999
