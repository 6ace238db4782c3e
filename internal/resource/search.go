package resource

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/store"
)

// What the two databases have no common words for: text search and JSON
// containment.

// searchUsers looks for terms in names and addresses, or for a whole uuid. Both databases have
// an index of all parts of three characters; shorter terms read all rows.
func searchUsers(s *statement, terms []string) {
	var indexed []string
	for _, term := range terms {
		if id, err := uuid.Parse(term); err == nil {
			s.where("u.uuid = ?", id)
			continue
		}
		key := directory.Key(term)
		switch {
		case s.dialect == store.Postgres:
			s.where("u.search_text like ?", "%"+escapeLike(key)+"%")
			continue
		case utf8.RuneCountInString(key) >= 3:
			indexed = append(indexed, "search_text like "+s.args.Add("%"+key+"%"))
		}
		// In the index % and _ stand for anything, so it finds too much at
		// most: a pattern with an escape character would not use it.
		if utf8.RuneCountInString(key) < 3 || strings.ContainsAny(key, "%_") {
			s.where("instr(u.search_text, ?) > 0", key)
		}
	}
	if len(indexed) > 0 {
		s.terms = append(s.terms, "u.id in (select rowid from users_search where "+strings.Join(indexed, " and ")+")")
	}
}

// startsWith compares the beginning of a column, with its index.
func startsWith(column string) func(*statement, any) {
	return func(s *statement, want any) {
		prefix := want.(string)
		s.where(column+" >= ? and "+column+" < ?", prefix, prefix+"\U0010ffff")
	}
}

// containsAttributes looks for rows of which the JSON object in column holds
// all members of the given one.
func containsAttributes(s *statement, column string, members map[string]any) {
	if s.dialect == store.Postgres {
		s.where(column+" @> ?", store.JSON(members))
		return
	}
	s.terms = append(s.terms, s.holds(column, "$", members, 0))
}

// holds is the condition that the JSON at a path of an expression contains v, as
// the operator @> of PostgreSQL has it: objects by their members, lists by
// their items, everything else by equality.
func (s *statement) holds(expr, path string, v any, depth int) string {
	at := "(" + expr + ", " + s.args.Add(path) + ")"
	switch v := v.(type) {
	case map[string]any:
		all := []string{"json_type" + at + " = 'object'"}
		for name, member := range v {
			quoted, err := json.Marshal(name)
			if err != nil {
				continue // it was decoded from JSON
			}
			all = append(all, s.holds(expr, path+"."+string(quoted), member, depth))
		}
		return strings.Join(all, " and ")
	case []any:
		all := []string{"json_type" + at + " = 'array'"}
		for _, item := range v {
			each := fmt.Sprintf("j%d", depth)
			var is string
			switch item.(type) {
			case map[string]any, []any:
				is = each + ".type in ('object', 'array') and " + s.holds(each+".value", "$", item, depth+1)
			default:
				is = s.is(each+".type", each+".value", item)
			}
			all = append(all, "exists (select 1 from json_each("+expr+", "+s.args.Add(path)+") "+each+" where "+is+")")
		}
		return strings.Join(all, " and ")
	}
	return s.is("json_type"+at, "json_extract"+at, v)
}

// is compares a value of SQLite's JSON functions, and its type, with a scalar.
func (s *statement) is(typ, value string, want any) string {
	switch want := want.(type) {
	case nil:
		return typ + " = 'null'"
	case bool:
		return typ + " = " + s.args.Add(map[bool]string{true: "true", false: "false"}[want])
	case string:
		return typ + " = 'text' and " + value + " = " + s.args.Add(want)
	}
	return typ + " in ('integer', 'real') and " + value + " = " + s.args.Add(want)
}
