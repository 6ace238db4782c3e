package resource

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/store"
)

// What the two databases have no common words for: text search and JSON
// containment.

// searchUsers looks for terms in names, addresses and uuids. Both databases have
// an index of all parts of three characters; shorter terms read all rows.
func searchUsers(s *statement, terms []string) {
	var indexed []string
	for _, term := range terms {
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
// all members of the given one. Text that is no object matches nothing.
func containsAttributes(s *statement, column, text string) {
	var members map[string]any
	if json.Unmarshal([]byte(text), &members) != nil {
		s.where("1 = 0")
		return
	}
	if s.dialect == store.Postgres {
		s.where(column+" @> ?::text::jsonb", text)
		return
	}
	walkJSON("$", members, func(path string, leaf any) {
		switch leaf := leaf.(type) {
		case nil:
			s.where("json_type("+column+", ?) = 'null'", path)
		case bool:
			s.where("json_type("+column+", ?) = ?", path, map[bool]string{true: "true", false: "false"}[leaf])
		case string:
			s.where("json_type("+column+", ?) = 'text' and json_extract("+column+", ?) = ?", path, path, leaf)
		case float64:
			s.where("json_type("+column+", ?) in ('integer', 'real') and json_extract("+column+", ?) = ?", path, path, leaf)
		case []any:
			for _, item := range leaf {
				data, err := json.Marshal(item)
				if err != nil {
					continue // it was decoded from JSON
				}
				s.where("json_type("+column+", ?) = 'array' and exists (select 1 from json_each("+column+", ?) where json_quote(value) = json(?))", path, path, string(data))
			}
		case map[string]any:
			s.where("json_type("+column+", ?) = 'object'", path)
		}
	})
}

// walkJSON visits the leaves of an object, and objects without members, with
// their paths as SQLite writes them.
func walkJSON(path string, object map[string]any, visit func(path string, leaf any)) {
	for name, v := range object {
		quoted, err := json.Marshal(name)
		if err != nil {
			continue // it was decoded from JSON
		}
		below := path + "." + string(quoted)
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			walkJSON(below, m, visit)
			continue
		}
		visit(below, v)
	}
}
