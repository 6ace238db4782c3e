package field

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

var slugPattern = regexp.MustCompile(`^[-a-zA-Z0-9_]+$`)

// decodeString takes strings and numbers, as clients of the published API
// expect; a flag, list or object is most likely a mistake.
func decodeString(r *rules, dst reflect.Value, raw any) []Error {
	s, ok := text(raw)
	if r.choices != nil {
		if !ok || !slices.Contains(r.choices, s) && !(s == "" && r.blank) {
			return problem(CodeInvalidChoice, "", "Choose one of: %s.", strings.Join(r.choices, ", "))
		}
		dst.SetString(s)
		return nil
	}
	if !ok {
		return problem(CodeInvalid, "field.text.invalid", "Enter a text.")
	}
	if !r.notrim {
		s = strings.TrimSpace(s)
	}
	switch n := int64(utf8.RuneCountInString(s)); {
	case s == "" && !r.blank:
		return problem(CodeBlank, "field.blank", "Fill in this field; it may not be empty.")
	case strings.ContainsRune(s, 0) || !utf8.ValidString(s):
		return problem(CodeInvalid, "field.text.invalid", "Enter a text without control characters.")
	case r.max != nil && n > *r.max:
		return problem(CodeMaxLength, "", "Enter at most %d characters.", *r.max)
	case r.min != nil && n < *r.min && s != "":
		return problem(CodeMinLength, "", "Enter at least %d characters.", *r.min)
	case r.slug && s != "" && !slugPattern.MatchString(s):
		return problem(CodeInvalid, "field.slug.invalid", "Use only letters, digits, hyphens and underscores.")
	}
	dst.SetString(s)
	return nil
}

// text returns the text of a string or number.
func text(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case uuid.UUID:
		return v.String(), true
	case time.Time:
		return formatTime(v), true
	}
	switch v := reflect.ValueOf(raw); v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), true
	}
	return "", false
}

func decodeBool(_ *rules, dst reflect.Value, raw any) []Error {
	if b, ok := raw.(bool); ok {
		dst.SetBool(b)
		return nil
	}
	s, _ := text(raw)
	switch strings.ToLower(s) {
	case "t", "y", "yes", "true", "on", "1":
		dst.SetBool(true)
	case "f", "n", "no", "false", "off", "0":
		dst.SetBool(false)
	default:
		return problem(CodeInvalid, "field.flag.invalid", "Enter true or false.")
	}
	return nil
}

// maxNumberRunes bounds numbers sent as text.
const maxNumberRunes = 64

var trailingZeros = regexp.MustCompile(`\.0*$`)

func decodeInt(r *rules, dst reflect.Value, raw any) []Error {
	s, ok := text(raw)
	if !ok || len(s) > maxNumberRunes {
		return problem(CodeInvalid, "field.integer.invalid", "Enter a whole number.")
	}
	s = trailingZeros.ReplaceAllString(strings.TrimSpace(s), "")
	least, most := bounds(dst.Type())
	if r.min != nil {
		least = max(least, *r.min)
	}
	if r.max != nil && *r.max >= 0 {
		most = min(most, uint64(*r.max))
	}
	tooBig := func() []Error { return problem(CodeMaxValue, "", "Enter a number of at most %d.", most) }
	tooSmall := func() []Error { return problem(CodeMinValue, "", "Enter a number of at least %d.", least) }
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		u, uerr := strconv.ParseUint(s, 10, 64)
		switch {
		case uerr == nil && u <= most && dst.CanUint():
			dst.SetUint(u)
			return nil
		case uerr == nil || uerr.(*strconv.NumError).Err == strconv.ErrRange:
			return tooBig()
		case err.(*strconv.NumError).Err == strconv.ErrRange:
			return tooSmall()
		}
		return problem(CodeInvalid, "field.integer.invalid", "Enter a whole number.")
	}
	switch {
	case n < least:
		return tooSmall()
	case n > 0 && uint64(n) > most || n > 0 && r.max != nil && n > *r.max:
		return tooBig()
	}
	if dst.CanUint() {
		dst.SetUint(uint64(n))
	} else {
		dst.SetInt(n)
	}
	return nil
}

// bounds returns the range of an integer type.
func bounds(t reflect.Type) (least int64, most uint64) {
	bits := t.Bits()
	if k := t.Kind(); k >= reflect.Uint && k <= reflect.Uint64 {
		return 0, math.MaxUint64 >> (64 - bits)
	}
	return math.MinInt64 >> (64 - bits), uint64(math.MaxInt64) >> (64 - bits)
}

func decodeFloat(r *rules, dst reflect.Value, raw any) []Error {
	s, ok := text(raw)
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	switch {
	case !ok || err != nil || math.IsNaN(f) || math.IsInf(f, 0) || len(s) > 512:
		return problem(CodeInvalid, "field.number.invalid", "Enter a number.")
	case r.max != nil && f > float64(*r.max):
		return problem(CodeMaxValue, "", "Enter a number of at most %d.", *r.max)
	case r.min != nil && f < float64(*r.min):
		return problem(CodeMinValue, "", "Enter a number of at least %d.", *r.min)
	}
	dst.SetFloat(f)
	return nil
}

func decodeUUID(r *rules, dst reflect.Value, raw any) []Error {
	var id uuid.UUID
	switch v := raw.(type) {
	case uuid.UUID:
		id = v
	case string:
		var err error
		// Parse also takes "urn:uuid:" and braces, which no client sends and
		// which would give one object several names.
		if id, err = uuid.Parse(v); err != nil || len(v) != 36 && len(v) != 32 {
			return problem(CodeInvalid, "field.id.invalid", "Enter the id of an object (a UUID).")
		}
	default:
		if r.ref {
			return problem(CodeIncorrectType, "field.id.invalid", "Enter the id of an object (a UUID).")
		}
		return problem(CodeInvalid, "field.id.invalid", "Enter a UUID.")
	}
	dst.Set(reflect.ValueOf(id))
	return nil
}

// timeLayouts are tried in order; a time without zone is UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15:04Z07:00"}

func decodeTime(_ *rules, dst reflect.Value, raw any) []Error {
	if t, ok := raw.(time.Time); ok {
		dst.Set(reflect.ValueOf(t.UTC()))
		return nil
	}
	if s, ok := raw.(string); ok {
		if t, err := ParseTime(s); err == nil {
			dst.Set(reflect.ValueOf(t))
			return nil
		}
	}
	return problem(CodeInvalid, "field.time.invalid", "Enter a date and time such as 2030-01-31T12:00:00Z.")
}

// ParseTime reads a time in the forms that fields accept and returns it in UTC.
func ParseTime(s string) (t time.Time, err error) {
	for _, l := range timeLayouts {
		if t, err = time.Parse(l, strings.TrimSpace(s)); err == nil {
			return t.UTC(), nil
		}
	}
	return t, err
}

// formatTime is the form of times on the wire.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }
