package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// maxKept is how many prepared statements a connection keeps. A login has
// about thirty; lists and searches make others.
const maxKept = 128

// keeping is a connector whose connections keep the statements that they have
// prepared: reading a statement's text costs about as much as running it.
type keeping struct{ driver.Connector }

func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	b, ok := c.(base)
	if !ok {
		return nil, fmt.Errorf("a connection of type %T cannot keep statements", c)
	}
	return &conn{b, map[string]statement{}}, nil
}

// base is what package sql asks a connection of the driver for, without what
// would run a text at once.
type base interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// conn is a connection; package sql uses it for one thing at a time. kept holds
// the statements that are not in use.
type conn struct {
	base
	kept map[string]statement
}

var (
	_ driver.ExecerContext  = (*conn)(nil)
	_ driver.QueryerContext = (*conn)(nil)
)

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	c.done(query, s, err)
	return result, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		c.done(query, s, err)
		return nil, err
	}
	return &result{r, func(err error) { c.done(query, s, err) }}, nil
}

// take returns a statement that nobody else uses.
func (c *conn) take(ctx context.Context, query string) (statement, error) {
	if s, ok := c.kept[query]; ok {
		delete(c.kept, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(statement), nil
}

// done takes a statement back. One that failed is not used again.
func (c *conn) done(query string, s statement, err error) {
	if _, again := c.kept[query]; again || err != nil {
		_ = s.Close()
		return
	}
	if len(c.kept) >= maxKept {
		for other, old := range c.kept { // any of them
			_ = old.Close()
			delete(c.kept, other)
			break
		}
	}
	c.kept[query] = s
}

// Close closes the statements and the connection.
func (c *conn) Close() error {
	for _, s := range c.kept {
		_ = s.Close()
	}
	clear(c.kept)
	return c.base.Close()
}

// result gives its statement back when it is closed.
type result struct {
	driver.Rows
	done func(error)
}

func (r *result) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		r.done(err)
		r.done = nil
	}
	return err
}
