package expression

import (
	"fmt"
	"math"
	"strings"
	"time"

	"go.starlark.net/starlark"
)

// dateAttr holds what dates and datetimes have in common.
func dateAttr(t time.Time, name string, naive bool) (starlark.Value, error) {
	switch name {
	case "year":
		return starlark.MakeInt(t.Year()), nil
	case "month":
		return starlark.MakeInt(int(t.Month())), nil
	case "day":
		return starlark.MakeInt(t.Day()), nil
	case "weekday":
		return constant(name, starlark.MakeInt((int(t.Weekday())+6)%7)), nil
	case "isoweekday":
		return constant(name, starlark.MakeInt((int(t.Weekday())+6)%7+1)), nil
	case "strftime":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			format := ""
			if err := c.take("format", &format); err != nil {
				return nil, err
			}
			s, err := strftime(t, format, naive)
			return starlark.String(s), err
		}), nil
	}
	return nil, nil
}

// dateValue is a date.
type dateValue struct {
	opaque
	t time.Time
}

func newDate(t time.Time) *dateValue {
	y, m, d := t.Date()
	return &dateValue{opaque{"date"}, time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

func (v *dateValue) str() string           { return v.t.Format("2006-01-02") }
func (v *dateValue) Hash() (uint32, error) { return starlark.MakeInt64(v.t.Unix()).Hash() }

func (v *dateValue) compare(other starlark.Value) (int, bool) {
	o, ok := other.(*dateValue)
	if !ok {
		return 0, false
	}
	return v.t.Compare(o.t), true
}

func (v *dateValue) format(_ *evaluation, spec string) (string, error) {
	return strftime(v.t, spec, true)
}

func (v *dateValue) binary(_ *evaluation, op string, other starlark.Value, reversed bool) (starlark.Value, error) {
	switch o := other.(type) {
	case *deltaValue:
		days := o.d.Truncate(24 * time.Hour)
		if op == "+" {
			return newDate(v.t.Add(days)), nil
		}
		if op == "-" && !reversed {
			return newDate(v.t.Add(-days)), nil
		}
	case *dateValue:
		if op == "-" && !reversed {
			return newDelta(v.t.Sub(o.t)), nil
		}
	}
	return nil, nil
}

func (v *dateValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	if name == "isoformat" {
		return constant(name, starlark.String(v.str())), nil
	}
	return dateAttr(v.t, name, true)
}

func dateNew(_ *evaluation, c call) (starlark.Value, error) {
	var y, m, d int
	if err := c.take("year", &y, "month", &m, "day", &d); err != nil {
		return nil, err
	}
	v, err := makeDatetime(y, m, d, 0, 0, 0, 0, time.UTC, true)
	if err != nil {
		return nil, err
	}
	return newDate(v.(*datetimeValue).t), nil
}

func dateToday(e *evaluation, c call) (starlark.Value, error) {
	return newDate(e.now().UTC()), c.take()
}

func dateFromISO(_ *evaluation, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("date_string", &s); err != nil {
		return nil, err
	}
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return nil, raise(excValue, "Invalid isoformat string: %s", repr(starlark.String(s)))
	}
	return newDate(t), nil
}

// deltaValue is a span of time, in whole microseconds.
type deltaValue struct {
	opaque
	d time.Duration
}

func newDelta(d time.Duration) *deltaValue {
	return &deltaValue{opaque{"timedelta"}, d.Truncate(time.Microsecond)}
}

// split gives days, seconds and microseconds, the last two never negative.
func (v *deltaValue) split() (days, seconds, micros int64) {
	us := v.d.Microseconds()
	const day = 24 * 3600 * 1_000_000
	days = us / day
	if us%day < 0 {
		days--
	}
	us -= days * day
	return days, us / 1_000_000, us % 1_000_000
}

func (v *deltaValue) str() string {
	days, s, us := v.split()
	out := ""
	if days != 0 {
		plural := "s"
		if days == 1 || days == -1 {
			plural = ""
		}
		out = fmt.Sprintf("%d day%s, ", days, plural)
	}
	out += fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	if us > 0 {
		out += fmt.Sprintf(".%06d", us)
	}
	return out
}

func (v *deltaValue) Truth() starlark.Bool  { return v.d != 0 }
func (v *deltaValue) Hash() (uint32, error) { return starlark.MakeInt64(int64(v.d)).Hash() }

func (v *deltaValue) compare(other starlark.Value) (int, bool) {
	o, ok := other.(*deltaValue)
	if !ok {
		return 0, false
	}
	return sign(v.d < o.d, v.d > o.d), true
}

func (v *deltaValue) binary(_ *evaluation, op string, other starlark.Value, reversed bool) (starlark.Value, error) {
	if op == "neg" {
		return newDelta(-v.d), nil
	}
	if o, ok := other.(*deltaValue); ok {
		switch op {
		case "+":
			return newDelta(v.d + o.d), nil
		case "-":
			if reversed {
				return newDelta(o.d - v.d), nil
			}
			return newDelta(v.d - o.d), nil
		case "/":
			if reversed || o.d == 0 {
				return nil, raise(excZeroDivision, "division by zero")
			}
			return starlark.Float(float64(v.d) / float64(o.d)), nil
		}
		return nil, nil
	}
	if f, ok := asFloat(other); ok {
		switch {
		case op == "*":
			return spanOf(v.d.Seconds() * f)
		case op == "/" && !reversed:
			if f == 0 {
				return nil, raise(excZeroDivision, "division by zero")
			}
			return spanOf(v.d.Seconds() / f)
		}
	}
	return nil, nil
}

// spanOf makes a span, which reaches about 290 years.
func spanOf(seconds float64) (starlark.Value, error) {
	if math.Abs(seconds) > 9e9 || math.IsNaN(seconds) {
		return nil, raise(excOverflow, "the span of time is too long")
	}
	return newDelta(time.Duration(math.Round(seconds*1e6)) * time.Microsecond), nil
}

func (v *deltaValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	days, s, us := v.split()
	switch name {
	case "days":
		return starlark.MakeInt64(days), nil
	case "seconds":
		return starlark.MakeInt64(s), nil
	case "microseconds":
		return starlark.MakeInt64(us), nil
	case "total_seconds":
		return constant(name, starlark.Float(v.d.Seconds())), nil
	}
	return nil, nil
}

func deltaNew(_ *evaluation, c call) (starlark.Value, error) {
	units := []float64{86400, 1, 1e-6, 1e-3, 60, 3600, 604800}
	parts := make([]starlark.Value, len(units))
	if err := c.take("days?", &parts[0], "seconds?", &parts[1], "microseconds?", &parts[2], "milliseconds?", &parts[3],
		"minutes?", &parts[4], "hours?", &parts[5], "weeks?", &parts[6]); err != nil {
		return nil, err
	}
	total := 0.0
	for i, v := range parts {
		if v == nil {
			continue
		}
		f, ok := asFloat(v)
		if !ok {
			return nil, raise(excType, "unsupported type for timedelta component: %s", kindOf(v))
		}
		total += f * units[i]
	}
	return spanOf(total)
}

// zoneValue is a time zone with a fixed offset.
type zoneValue struct {
	opaque
	loc *time.Location
}

func (z *zoneValue) str() string {
	if z.loc == time.UTC {
		return "UTC"
	}
	return z.loc.String()
}

// zoneOf returns the zone of a value; None means UTC.
func zoneOf(v starlark.Value) *time.Location {
	if z, ok := v.(*zoneValue); ok {
		return z.loc
	}
	return time.UTC
}

func zoneNew(_ *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	name := ""
	if err := c.take("offset", &v, "name?", &name); err != nil {
		return nil, err
	}
	d, ok := v.(*deltaValue)
	if !ok || d.d <= -24*time.Hour || d.d >= 24*time.Hour {
		return nil, raise(excValue, "offset must be a timedelta of less than a day")
	}
	return &zoneValue{opaque{"timezone"}, time.FixedZone(name, int(d.d.Seconds()))}, nil
}

// layouts are the directives of strftime and strptime as Go layouts.
var layouts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'y': "06", 'B': "January", 'b': "Jan",
	'A': "Monday", 'a': "Mon", 'p': "PM", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'j': "002",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'e': "_2",
}

func strftime(t time.Time, format string, naive bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; c {
		case '%':
			b.WriteByte('%')
		case 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		case 's':
			fmt.Fprintf(&b, "%d", t.Unix())
		case 'w':
			fmt.Fprintf(&b, "%d", t.Weekday())
		case 'u':
			fmt.Fprintf(&b, "%d", (int(t.Weekday())+6)%7+1)
		case 'V':
			_, week := t.ISOWeek()
			fmt.Fprintf(&b, "%02d", week)
		case 'z':
			if !naive {
				b.WriteString(t.Format("-0700"))
			}
		case 'Z':
			if !naive {
				b.WriteString(t.Format("MST"))
			}
		default:
			layout, ok := layouts[c]
			if !ok {
				return "", raise(excValue, "strftime: '%%%c' is not available", c)
			}
			b.WriteString(t.Format(layout))
		}
	}
	return b.String(), nil
}

// strptimeLayout makes a Go layout. Letters and digits between directives
// could be taken for parts of a layout, so only "T" is allowed.
func strptimeLayout(format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' || i+1 == len(format) {
			if c != 'T' && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
				return "", raise(excValue, "strptime: text between directives is not available")
			}
			b.WriteByte(c)
			continue
		}
		i++
		switch c := format[i]; c {
		case '%':
			b.WriteByte('%')
		case 'z':
			b.WriteString("Z0700")
		case 'f':
			b.WriteString("999999")
		default:
			layout, ok := layouts[c]
			if !ok {
				return "", raise(excValue, "'%c' is a bad directive in format", c)
			}
			b.WriteString(layout)
		}
	}
	return b.String(), nil
}
