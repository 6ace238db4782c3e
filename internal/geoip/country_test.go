package geoip_test

import (
	"slices"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/weir-id/weir/internal/geoip"
)

func TestCountries(t *testing.T) {
	codes := geoip.CountryCode("").Choices()
	if len(codes) != 249 || !slices.IsSorted(codes) {
		t.Errorf("%d countries: %v", len(codes), codes)
	}
	for _, code := range codes {
		region, err := language.ParseRegion(code)
		if err != nil || !region.IsCountry() {
			t.Errorf("%s is no country: %v", code, err)
		}
		if got, want := geoip.CountryCode(code).Name(), display.English.Regions().Name(region); got != want {
			t.Errorf("%s is called %q, want %q", code, got, want)
		}
	}
	if got := geoip.CountryCode("XX").Name(); got != "XX" {
		t.Errorf("a code that is not assigned is called %q", got)
	}
}
