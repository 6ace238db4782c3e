package store

import "context"

// Select runs a query and returns what scan makes of each row, nil for no rows.
// It closes the rows, so that no connection is held while the caller goes on.
func Select[T any](ctx context.Context, q Querier, scan func(Row) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Column scans a row of one column; give it to Select.
func Column[T any](row Row) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}
