package resource

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/directory"
)

// matchType is what a look-up field must be given as.
type matchType int

const (
	matchText matchType = iota
	matchNumber
	matchUUID
	matchBool
	matchObject
)

// lookup checks a match. ok is false when a value cannot agree with anything,
// such as a key that is no number.
func lookup(model string, match map[string]any, fields map[string]matchType) (out map[string]any, ok bool, err error) {
	out = maps.Clone(match)
	for name, v := range match {
		base, isJSON := strings.CutSuffix(name, "__contains")
		if isJSON && fields[base] == matchObject {
			delete(out, name)
			name = base
			out[name] = v
		}
		typ, known := fields[name]
		if !known {
			return nil, false, noSuchField(model, name)
		}
		if !fits(typ, v) {
			return nil, false, nil
		}
	}
	return out, true, nil
}

// parts adds the comparisons with parts of texts that the directory has.
func parts(fields map[string]matchType, names ...string) map[string]matchType {
	for _, name := range names {
		for _, how := range directory.TextParts {
			fields[name+"__"+how] = matchText
		}
	}
	return fields
}

func fits(typ matchType, v any) bool {
	var err error
	switch typ {
	case matchNumber:
		_, err = strconv.ParseInt(fmt.Sprint(v), 10, 64)
	case matchUUID:
		_, err = uuid.Parse(fmt.Sprint(v))
	case matchBool:
		_, ok := v.(bool)
		return ok
	case matchObject:
		_, ok := v.(map[string]any)
		return ok
	default:
		_, ok := v.(string)
		return ok
	}
	return err == nil
}
