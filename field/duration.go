package field

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time in the form of the wire: pairs of unit and
// number joined by semicolons, such as "hours=1;minutes=30". The units are
// microseconds, milliseconds, seconds, minutes, hours, days and weeks. The
// empty Duration is zero, written "seconds=0".
type Duration string

var durationUnits = map[string]time.Duration{
	"microseconds": time.Microsecond, "milliseconds": time.Millisecond, "seconds": time.Second,
	"minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// Duration returns the length, 0 when the text is not a duration (Decode lets
// none in). A length beyond some 290 years is cut there.
func (d Duration) Duration() time.Duration {
	total, _ := parseDuration(string(d))
	return total
}

// DecodeField implements Decoder.
func (d *Duration) DecodeField(v any) *Error {
	s, ok := v.(string)
	if ok {
		s = strings.TrimSpace(s)
		_, ok = parseDuration(s)
	}
	if !ok {
		return &Error{Code: CodeInvalid, Message: "field.duration.invalid",
			String: "Enter a duration such as hours=1;minutes=30. The units are microseconds, milliseconds, seconds, minutes, hours, days and weeks."}
	}
	*d = Duration(s)
	return nil
}

// parseDuration ignores unknown units as long as one known one remains, which
// is what existing configurations rely on; a pair without a number is wrong.
func parseDuration(s string) (time.Duration, bool) {
	total, found := 0.0, false
	for pair := range strings.SplitSeq(s, ";") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		unit, number, ok := strings.Cut(pair, "=")
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !ok || err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, false
		}
		if u, known := durationUnits[strings.ToLower(strings.TrimSpace(unit))]; known {
			total += n * float64(u)
			found = true
		}
	}
	switch {
	case !found, math.IsNaN(total): // endless lengths of both signs
		return 0, false
	case total >= math.MaxInt64:
		return math.MaxInt64, true
	case total <= math.MinInt64:
		return math.MinInt64, true
	}
	return time.Duration(math.Round(total)), true
}

// String returns the wire form.
func (d Duration) String() string {
	if d == "" {
		return "seconds=0"
	}
	return string(d)
}
