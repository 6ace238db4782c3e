package geoip

import (
	_ "embed" // for the list
	"maps"
	"slices"
	"strings"
)

// list has a line for each country that ISO 3166-1 knows: its alpha-2 code and
// its English name. The names are those of golang.org/x/text, which would make
// the program 2 MB larger.
//
//go:embed countries.txt
var list string

var countries = func() map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(list) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		names[code] = name
	}
	return names
}()

// CountryCode is a code of ISO 3166-1 alpha-2.
type CountryCode string

// Choices lists the codes.
func (CountryCode) Choices() []string { return slices.Sorted(maps.Keys(countries)) }

// Name is the English name, the code itself for one that is not assigned.
func (c CountryCode) Name() string {
	if name, ok := countries[string(c)]; ok {
		return name
	}
	return string(c)
}
