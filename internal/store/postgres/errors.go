package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weir-id/weir/internal/store"
)

// translate turns the driver's error into the store's. ctx is that of the
// caller: what fails because it ended says nothing about the database.
func (db *DB) translate(ctx context.Context, err error) error {
	var e *pgconn.PgError
	answered := errors.As(err, &e)
	switch {
	case err == nil || errors.Is(err, store.ErrUnavailable):
		return err
	case answered && e.Code == "23505": // unique_violation
		return &store.ConstraintError{Kind: store.ErrConflict, Table: e.TableName, Columns: columns(e.Detail)}
	case answered && e.Code == "23503": // foreign_key_violation
		return &store.ConstraintError{Kind: store.ErrReferenced, Table: e.TableName, Columns: columns(e.Detail)}
	case ctx.Err() != nil || !away(err):
		return err
	case gone(err):
		db.pool.Reset()
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

const (
	readOnly      = "25006" // read_only_sql_transaction, what a standby says to a write
	adminShutdown = "57P01"
	crashShutdown = "57P02"
)

// gone reports whether the server behind a connection has left it, or does not
// take writes any more, if it ever did. The other connections lead to the same
// server; new ones look for the one that takes writes.
func gone(err error) bool {
	var connect *pgconn.ConnectError
	var e *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &connect): // there is no connection yet
		return false
	case errors.As(err, &e):
		return e.Code == readOnly || e.Code == adminShutdown || e.Code == crashShutdown
	case errors.As(err, &network):
		return !network.Timeout()
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// away reports whether the database could not be asked, went away or sent us
// away, as opposed to having found fault with a statement.
func away(err error) bool {
	var connect *pgconn.ConnectError
	var e *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &connect):
		return true
	case errors.As(err, &e):
		switch e.Code {
		case readOnly, adminShutdown, crashShutdown,
			"25P03", // idle_in_transaction_session_timeout
			"57014", // query_canceled
			"57P03", // cannot_connect_now
			"57P04", // database_dropped
			"57P05": // idle_session_timeout
			return true
		}
		// Connection exceptions, insufficient resources, system errors.
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "58")
	}
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// columns reads the names in "Key (a, b)=(1, 2) already exists." The words
// around them follow the server's language, the parentheses do not.
func columns(detail string) []string {
	_, rest, ok := strings.Cut(detail, "(")
	if !ok {
		return nil
	}
	names, _, ok := strings.Cut(rest, ")=(")
	if !ok {
		return nil
	}
	return strings.Split(names, ", ")
}

// transient reports whether the server gave a transaction up because of others
// and certainly committed nothing: serialization_failure, deadlock_detected.
func transient(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}
