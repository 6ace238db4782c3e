package system

import "testing"

func TestRule36FooterLinksLeadOnlyToPages(t *testing.T) {
	for href, want := range map[string]bool{
		"https://example.com/imprint": true, "http://localhost:8000": true, "/own/page?x=1": true, "mailto:help@example.com": true,
		"": false, "javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, "//evil.example.com": false, `/\evil.example.com`: false,
		`\\evil.example.com`: false, "https:": false, "https:///x": false, "https://user@evil.example.com": false, "mailto:": false, "page": false, "http://a b/": false,
	} {
		s := NewSettings()
		s.FooterLinks = []any{map[string]any{"name": "x", "href": href}}
		if got := s.Validate() == nil; got != want {
			t.Errorf("%q is accepted: %v, want %v: %v", href, got, want, s.Validate())
		}
	}
}

func TestTheFirstKnownWayToAPictureCounts(t *testing.T) {
	for avatars, want := range map[string]bool{"initials": true, "none": false, "gravatar,none": false, "gravatar, initials,none": true, "none,initials": false} {
		s := NewSettings()
		s.Avatars = avatars
		if errs := s.Validate(); errs != nil || s.ShowsInitials() != want {
			t.Errorf("%q shows initials: %v, want %v; %v", avatars, s.ShowsInitials(), want, errs)
		}
	}
}
