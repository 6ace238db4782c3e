package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// color is an opaque sRGB colour, channels from 0 to 1.
type color [3]float64

var (
	black = color{0, 0, 0}
	white = color{1, 1, 1}

	hexColor = regexp.MustCompile(`^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
)

// parseColor reads #rgb and #rrggbb.
func parseColor(s string) (color, bool) {
	if !hexColor.MatchString(s) {
		return color{}, false
	}
	s = s[1:]
	if len(s) == 3 {
		s = string([]byte{s[0], s[0], s[1], s[1], s[2], s[2]})
	}
	var c color
	for i := range c {
		n, _ := strconv.ParseUint(s[2*i:2*i+2], 16, 8) // the pattern allows nothing else
		c[i] = float64(n) / 255
	}
	return c, true
}

func (c color) String() string {
	b := [3]int{}
	for i, v := range c {
		b[i] = int(math.Round(v * 255))
	}
	return fmt.Sprintf("#%02x%02x%02x", b[0], b[1], b[2])
}

// luminance is the relative luminance of WCAG 2.2.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b color) float64 {
	x, y := a.luminance(), b.luminance()
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

// mix moves c toward the other colour by share, from 0 to 1.
func (c color) mix(other color, share float64) color {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}
