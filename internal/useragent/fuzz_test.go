package useragent_test

import (
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/useragent"
)

// FuzzParse reads headers: what is told of them is made of known names and of
// digits.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "curl/8.14.1", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_2 like Mac OS X) Version/19.1 Safari/604.1", "Chrome/Edg/1", "Windows NT <b>", "\xffSafari/ Version/\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a := useragent.Parse(header)
		for _, p := range []useragent.Product{a.Browser, a.System} {
			for _, version := range []string{p.Major, p.Minor, p.Patch} {
				if strings.Trim(version, "0123456789") != "" {
					t.Errorf("%q has the version %q", header, version)
				}
			}
			if p.Family == "" || strings.ContainsAny(p.Family, "<>&\"\x00") {
				t.Errorf("%q is %q", header, p.Family)
			}
		}
		if a.Device.Family == "" || a.String() == "" {
			t.Errorf("%q is nothing", header)
		}
	})
}
