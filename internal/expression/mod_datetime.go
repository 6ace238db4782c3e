package expression

import (
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"
)

// moduleDatetime is module datetime.
func moduleDatetime() *module {
	utc := &zoneValue{opaque{"timezone"}, time.UTC}
	return newModule("datetime", map[string]starlark.Value{
		"datetime": &typeObject{name: "datetime", new: datetimeNew,
			is: func(v starlark.Value) bool { _, ok := v.(*datetimeValue); return ok },
			members: functions(map[string]fn{"now": datetimeNow, "utcnow": datetimeUTCNow, "today": datetimeUTCNow,
				"fromisoformat": datetimeFromISO, "fromtimestamp": datetimeFromTimestamp, "strptime": datetimeParse,
				"combine": datetimeCombine})},
		"date": &typeObject{name: "date", new: dateNew,
			is:      func(v starlark.Value) bool { _, ok := v.(*dateValue); return ok },
			members: functions(map[string]fn{"today": dateToday, "fromisoformat": dateFromISO})},
		"timedelta": &typeObject{name: "timedelta", new: deltaNew,
			is: func(v starlark.Value) bool { _, ok := v.(*deltaValue); return ok }},
		"timezone": &typeObject{name: "timezone", new: zoneNew,
			is:      func(v starlark.Value) bool { _, ok := v.(*zoneValue); return ok },
			members: map[string]starlark.Value{"utc": utc}},
		"UTC": utc,
	})
}

func (e *evaluation) now() time.Time {
	if e.env.Now != nil {
		return e.env.Now()
	}
	return time.Now()
}

// datetimeValue is a time of day on a date. A naive one has no zone; its t is
// in UTC.
type datetimeValue struct {
	opaque
	t     time.Time
	naive bool
}

func newDatetime(t time.Time) *datetimeValue {
	return &datetimeValue{opaque: opaque{"datetime"}, t: t.Truncate(time.Microsecond)}
}

func newNaive(t time.Time) *datetimeValue {
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	v := newDatetime(time.Date(y, mo, d, h, mi, s, t.Nanosecond(), time.UTC))
	v.naive = true
	return v
}

func (v *datetimeValue) like(t time.Time) *datetimeValue {
	out := newDatetime(t)
	out.naive = v.naive
	return out
}

func fraction(t time.Time) string {
	if us := t.Nanosecond() / 1000; us > 0 {
		return fmt.Sprintf(".%06d", us)
	}
	return ""
}

func (v *datetimeValue) iso(sep string) string {
	out := v.t.Format("2006-01-02") + sep + v.t.Format("15:04:05") + fraction(v.t)
	if !v.naive {
		out += v.t.Format("-07:00")
	}
	return out
}

func (v *datetimeValue) str() string           { return v.iso(" ") }
func (v *datetimeValue) Hash() (uint32, error) { return starlark.MakeInt64(v.t.UnixMicro()).Hash() }

func (v *datetimeValue) compare(other starlark.Value) (int, bool) {
	o, ok := other.(*datetimeValue)
	if !ok || o.naive != v.naive {
		return 0, false
	}
	return v.t.Compare(o.t), true
}

// mismatch explains why two datetimes have no order.
func (v *datetimeValue) mismatch(other starlark.Value) error {
	if o, ok := other.(*datetimeValue); ok && o.naive != v.naive {
		return raise(excType, "can't compare offset-naive and offset-aware datetimes")
	}
	return nil
}

func (v *datetimeValue) format(_ *evaluation, spec string) (string, error) {
	return strftime(v.t, spec, v.naive)
}

func (v *datetimeValue) binary(_ *evaluation, op string, other starlark.Value, reversed bool) (starlark.Value, error) {
	switch o := other.(type) {
	case *deltaValue:
		if op == "+" {
			return v.like(v.t.Add(o.d)), nil
		}
		if op == "-" && !reversed {
			return v.like(v.t.Add(-o.d)), nil
		}
	case *datetimeValue:
		if op != "-" || reversed {
			return nil, nil
		}
		if o.naive != v.naive {
			return nil, raise(excType, "can't subtract offset-naive and offset-aware datetimes")
		}
		return newDelta(v.t.Sub(o.t)), nil
	}
	return nil, nil
}

func (v *datetimeValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "hour":
		return starlark.MakeInt(v.t.Hour()), nil
	case "minute":
		return starlark.MakeInt(v.t.Minute()), nil
	case "second":
		return starlark.MakeInt(v.t.Second()), nil
	case "microsecond":
		return starlark.MakeInt(v.t.Nanosecond() / 1000), nil
	case "tzinfo":
		if v.naive {
			return starlark.None, nil
		}
		return &zoneValue{opaque{"timezone"}, v.t.Location()}, nil
	case "date":
		return constant(name, newDate(v.t)), nil
	case "time":
		return constant(name, newRecord("time", map[string]starlark.Value{
			"hour": starlark.MakeInt(v.t.Hour()), "minute": starlark.MakeInt(v.t.Minute()), "second": starlark.MakeInt(v.t.Second()),
			"name": starlark.String(v.t.Format("15:04:05") + fraction(v.t)),
		})), nil
	case "timestamp":
		return constant(name, starlark.Float(float64(v.t.UnixMicro())/1e6)), nil
	case "isoformat":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			sep := "T"
			err := c.take("sep?", &sep)
			return starlark.String(v.iso(sep)), err
		}), nil
	case "astimezone":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			var tz starlark.Value = starlark.None
			if err := c.take("tz?", &tz); err != nil {
				return nil, err
			}
			return newDatetime(v.t.In(zoneOf(tz))), nil
		}), nil
	case "replace":
		return builtin(name, v.replace), nil
	}
	return dateAttr(v.t, name, v.naive)
}

func (v *datetimeValue) replace(_ *evaluation, c call) (starlark.Value, error) {
	y, mo, d := v.t.Date()
	h, mi, s := v.t.Clock()
	us, month := v.t.Nanosecond()/1000, int(mo)
	var tz starlark.Value
	if err := c.take("year?", &y, "month?", &month, "day?", &d, "hour?", &h, "minute?", &mi, "second?", &s,
		"microsecond?", &us, "tzinfo?", &tz); err != nil {
		return nil, err
	}
	loc, naive := v.t.Location(), v.naive
	if tz != nil {
		loc, naive = zoneOf(tz), tz == starlark.None
	}
	return makeDatetime(y, month, d, h, mi, s, us, loc, naive)
}

func makeDatetime(y, mo, d, h, mi, s, us int, loc *time.Location, naive bool) (starlark.Value, error) {
	t := time.Date(y, time.Month(mo), d, h, mi, s, us*1000, loc)
	if y < 1 || y > 9999 || mo < 1 || mo > 12 || t.Day() != d || d < 1 {
		return nil, raise(excValue, "year, month or day is out of range")
	}
	if h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 59 || us < 0 || us > 999999 {
		return nil, raise(excValue, "hour, minute or second is out of range")
	}
	v := newDatetime(t)
	v.naive = naive
	return v, nil
}

func datetimeNew(_ *evaluation, c call) (starlark.Value, error) {
	var y, mo, d, h, mi, s, us int
	var tz starlark.Value = starlark.None
	if err := c.take("year", &y, "month", &mo, "day", &d, "hour?", &h, "minute?", &mi, "second?", &s,
		"microsecond?", &us, "tzinfo?", &tz); err != nil {
		return nil, err
	}
	return makeDatetime(y, mo, d, h, mi, s, us, zoneOf(tz), tz == starlark.None)
}

func datetimeNow(e *evaluation, c call) (starlark.Value, error) {
	var tz starlark.Value = starlark.None
	if err := c.take("tz?", &tz); err != nil {
		return nil, err
	}
	now := e.now().In(zoneOf(tz))
	if tz == starlark.None {
		return newNaive(now), nil
	}
	return newDatetime(now), nil
}

func datetimeUTCNow(e *evaluation, c call) (starlark.Value, error) {
	return newNaive(e.now().UTC()), c.take()
}

func datetimeFromTimestamp(_ *evaluation, c call) (starlark.Value, error) {
	var v, tz starlark.Value = nil, starlark.None
	if err := c.take("timestamp", &v, "tz?", &tz); err != nil {
		return nil, err
	}
	f, ok := asFloat(v)
	if !ok || f < -62135596800 || f > 253402300799 {
		return nil, raise(excValue, "timestamp out of range")
	}
	t := time.UnixMicro(int64(f * 1e6)).In(zoneOf(tz))
	if tz == starlark.None {
		return newNaive(t), nil
	}
	return newDatetime(t), nil
}

func datetimeFromISO(_ *evaluation, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("date_string", &s); err != nil {
		return nil, err
	}
	text := strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{"2006-01-02T15:04:05.999999Z07:00", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return newDatetime(t), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return newNaive(t), nil
		}
	}
	return nil, raise(excValue, "Invalid isoformat string: %s", repr(starlark.String(s)))
}

func datetimeParse(_ *evaluation, c call) (starlark.Value, error) {
	var text, format string
	if err := c.take("date_string", &text, "format", &format); err != nil {
		return nil, err
	}
	layout, err := strptimeLayout(format)
	if err != nil {
		return nil, err
	}
	t, perr := time.Parse(layout, text)
	if perr != nil {
		return nil, raise(excValue, "time data %s does not match format %s", repr(starlark.String(text)), repr(starlark.String(format)))
	}
	if strings.Contains(format, "%z") {
		return newDatetime(t), nil
	}
	return newNaive(t), nil
}

func datetimeCombine(_ *evaluation, c call) (starlark.Value, error) {
	var date, at starlark.Value
	if err := c.take("date", &date, "time", &at); err != nil {
		return nil, err
	}
	d, ok := date.(*dateValue)
	r, ok2 := at.(*record)
	if !ok || !ok2 {
		return nil, raise(excType, "combine() wants a date and a time")
	}
	part := func(name string) int { n, _ := starlark.AsInt32(r.attrs[name]); return n }
	y, mo, day := d.t.Date()
	return makeDatetime(y, int(mo), day, part("hour"), part("minute"), part("second"), 0, time.UTC, true)
}
