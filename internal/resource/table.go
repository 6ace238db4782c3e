package resource

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
)

// table lists the rows of a kind that stands in SQL.
type table[T any] struct {
	// from is what follows the word from; columns and scan read one row.
	from, columns string
	scan          func(store.Row) (T, error)
	// key is the column of the key, as grants name it; text tells that it is
	// stored as text.
	key string
	// numeric tells that the key is a number.
	numeric bool
	// owner is the column with the user whose object a row is; empty where
	// that means nothing.
	owner string
	// always holds for all rows of the kind; see terms.
	always func(s *statement)
	// order names the columns that lists may be sorted by, fallback is the
	// default order, which has no ties.
	order    map[string]string
	fallback string
	// search adds the condition that a row mentions all of the terms.
	search func(s *statement, terms []string)
	// filters add the conditions of the declared filters.
	filters map[string]func(s *statement, want any)
}

// statement is a query being put together.
type statement struct {
	args    store.Args
	terms   []string
	dialect store.Dialect
}

// where adds a condition, in which each ? stands for the next argument.
func (s *statement) where(condition string, args ...any) {
	var b strings.Builder
	for i, part := range strings.Split(condition, "?") {
		if i > 0 {
			b.WriteString(s.args.Add(args[i-1]))
		}
		b.WriteString(part)
	}
	s.terms = append(s.terms, b.String())
}

// in is a list for the operator in.
func (s *statement) in(values []any) string { return store.In(&s.args, values) }

func (s *statement) condition() string {
	if len(s.terms) == 0 {
		return ""
	}
	return " where (" + strings.Join(s.terms, ") and (") + ")"
}

// list returns one page, and how many rows there are in all.
func (t *table[T]) list(ctx context.Context, v View, q *Query) (rows []T, total int, err error) {
	s := &statement{dialect: v.Dialect}
	if t.always != nil {
		t.always(s)
	}
	t.scope(s, q.Scope)
	for name, want := range q.Filters {
		add, ok := t.filters[name]
		if !ok {
			return nil, 0, noSuchField(t.from, name)
		}
		add(s, want)
	}
	if t.search != nil && len(q.Terms) > 0 {
		t.search(s, q.Terms)
	}
	if err := v.DB.QueryRow(ctx, "select count(*) from "+t.from+s.condition(), s.args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count %s: %w", t.from, err)
	}
	if total == 0 || q.offset() >= total {
		return nil, total, nil
	}
	sql := "select " + t.columns + " from " + t.from + s.condition() + " order by " + t.orderBy(q.Order) +
		" limit " + s.args.Add(q.Size) + " offset " + s.args.Add(q.offset())
	rows, err = store.Select(ctx, v.DB, t.scan, sql, s.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", t.from, err)
	}
	return rows, total, nil
}

// scope adds what the reader may see.
func (t *table[T]) scope(s *statement, scope access.Scope) {
	if scope.All {
		return
	}
	var either []string
	if len(scope.IDs) > 0 {
		key := t.key
		if t.numeric {
			key = "cast(" + t.key + " as text)"
		}
		either = append(either, key+" in "+store.In(&s.args, scope.IDs))
	}
	if scope.Owner != 0 && t.owner != "" {
		either = append(either, t.owner+" = "+s.args.Add(scope.Owner))
	}
	if len(either) == 0 {
		either = []string{"1 = 0"}
	}
	s.terms = append(s.terms, strings.Join(either, " or "))
}

// orderBy is the order asked for, then the default one; null comes first, as in
// the published API. Unknown fields say nothing.
func (t *table[T]) orderBy(order []Order) string {
	var by []string
	for _, o := range order {
		column, ok := t.order[o.Field]
		switch {
		case !ok:
		case o.Desc:
			by = append(by, column+" desc nulls last")
		default:
			by = append(by, column+" asc nulls first")
		}
	}
	return strings.Join(append(by, t.fallback), ", ")
}

// equals compares a column with the value.
func equals(column string) func(*statement, any) {
	return func(s *statement, want any) { s.where(column+" = ?", want) }
}

// compares does so with another operator.
func compares(column, operator string) func(*statement, any) {
	return func(s *statement, want any) { s.where(column+" "+operator+" ?", want) }
}

// oneOf looks for the column among the values.
func oneOf(column string) func(*statement, any) {
	return func(s *statement, want any) { s.terms = append(s.terms, column+" in "+s.in(want.([]any))) }
}

// missing asks whether the column is null.
func missing(column string) func(*statement, any) {
	return func(s *statement, want any) {
		if want == true {
			s.where(column + " is null")
			return
		}
		s.where(column + " is not null")
	}
}

// mentions searches columns of short tables.
func mentions(columns ...string) func(*statement, []string) {
	return func(s *statement, terms []string) {
		for _, term := range terms {
			var either []string
			for _, column := range columns {
				either = append(either, "lower("+column+") like "+s.args.Add("%"+escapeLike(strings.ToLower(term))+"%")+` escape '\'`)
			}
			s.terms = append(s.terms, strings.Join(either, " or "))
		}
	}
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

func escapeLike(s string) string { return likeEscaper.Replace(s) }
