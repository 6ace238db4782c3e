package blueprint

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Plain scalars follow YAML 1.1 (https://yaml.org/type/), because that is how
// the published files were written and read: "yes" is true, "010" is eight,
// "1:30" is ninety, "1e3" and "0o10" are text.
var (
	decimal     = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*)$`)
	octal       = regexp.MustCompile(`^[-+]?0[0-7_]+$`)
	hexadecimal = regexp.MustCompile(`^[-+]?0x[0-9a-fA-F_]+$`)
	binary      = regexp.MustCompile(`^[-+]?0b[01_]+$`)
	sexagesimal = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$`)
	// An exponent needs a point before it and a sign behind the e.
	float            = regexp.MustCompile(`^([-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
	sexagesimalFloat = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*$`)
	notFinite        = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
	date             = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	moment           = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?$`)
)

// plain resolves an untagged plain scalar to nil, bool, int64, float64,
// time.Time or string.
func plain(text string) (any, error) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	}
	if b, ok := boolean(text); ok {
		return b, nil
	}
	// Everything else that is not text begins with one of these.
	if !strings.ContainsRune("+-.0123456789", rune(text[0])) {
		return text, nil
	}
	if v, ok, err := integer(text); ok || err != nil {
		return v, err
	}
	if v, ok, err := floating(text); ok || err != nil {
		return v, err
	}
	if t, ok, err := timestamp(text); ok || err != nil {
		return t, err
	}
	return text, nil
}

func boolean(text string) (value, ok bool) {
	switch text {
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true, true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func integer(text string) (int64, bool, error) {
	digits := strings.ReplaceAll(text, "_", "")
	base := 10
	switch {
	case decimal.MatchString(text):
	case octal.MatchString(text):
		base = 8
	case hexadecimal.MatchString(text):
		digits, base = strings.Replace(digits, "0x", "", 1), 16
	case binary.MatchString(text):
		digits, base = strings.Replace(digits, "0b", "", 1), 2
	case sexagesimal.MatchString(text):
		return base60(digits)
	default:
		return 0, false, nil
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%s is not a number between -2^63 and 2^63-1; put it in quotes to make it text", text)
	}
	return n, true, nil
}

// base60 reads "1:30" as ninety.
func base60(text string) (int64, bool, error) {
	negative := strings.HasPrefix(text, "-")
	total := new(big.Int)
	for part := range strings.SplitSeq(strings.TrimLeft(text, "+-"), ":") {
		n, ok := new(big.Int).SetString(part, 10)
		if !ok {
			return 0, false, nil
		}
		total.Add(total.Mul(total, big.NewInt(60)), n)
	}
	if !total.IsInt64() {
		return 0, false, fmt.Errorf("%s is too large a number; put it in quotes to make it text", text)
	}
	if negative {
		return -total.Int64(), true, nil
	}
	return total.Int64(), true, nil
}

func floating(text string) (float64, bool, error) {
	switch {
	case notFinite.MatchString(text):
		return 0, false, fmt.Errorf("%s cannot be stored; put it in quotes to make it text", text)
	case float.MatchString(text):
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || math.IsInf(f, 0) {
			return 0, false, fmt.Errorf("%s is too large a number; put it in quotes to make it text", text)
		}
		return f, true, nil
	case sexagesimalFloat.MatchString(text):
		digits := strings.ReplaceAll(text, "_", "")
		negative := strings.HasPrefix(digits, "-")
		total := 0.0
		for part := range strings.SplitSeq(strings.TrimLeft(digits, "+-"), ":") {
			f, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return 0, false, nil
			}
			total = total*60 + f
		}
		if negative {
			total = -total
		}
		return total, true, nil
	}
	return 0, false, nil
}

func timestamp(text string) (time.Time, bool, error) {
	if date.MatchString(text) {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return t, false, fmt.Errorf("%s is not a date; put it in quotes to make it text", text)
		}
		return t, true, nil
	}
	m := moment.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false, nil
	}
	n := make([]int, 7)
	for i := 1; i <= 6; i++ {
		n[i], _ = strconv.Atoi(m[i])
	}
	nanos, _ := strconv.Atoi((m[7] + "000000000")[:9])
	t := time.Date(n[1], time.Month(n[2]), n[3], n[4], n[5], n[6], nanos, time.UTC)
	if t.Month() != time.Month(n[2]) || t.Day() != n[3] || t.Hour() != n[4] || t.Minute() != n[5] || t.Second() != n[6] {
		return t, false, fmt.Errorf("%s is not a time; put it in quotes to make it text", text)
	}
	return t.Add(-offset(m[8])), true, nil
}

// offset reads a zone such as "+2", "-05:30" or "Z".
func offset(zone string) time.Duration {
	if zone == "" || zone == "Z" {
		return 0
	}
	hours, minutes, _ := strings.Cut(zone[1:], ":")
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if zone[0] == '-' {
		return -d
	}
	return d
}
