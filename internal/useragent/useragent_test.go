package useragent_test

import (
	"testing"

	"github.com/weir-id/weir/internal/useragent"
)

func TestParse(t *testing.T) {
	rows := []struct{ name, header, want, device string }{
		{"Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.7.1 Safari/537.36", "Chrome 148.0 / Linux", "Other"},
		{"Edge says Chrome too", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/148.0.0.0 Safari/537.36 Edg/148.0.1", "Edge 148.0 / Windows 10.0", "Other"},
		{"Safari on a phone", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_2 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile/15E148 Safari/604.1", "Safari 19.1 / iPhone 19.2", "iPhone"},
		{"Firefox on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140.0 / macOS 10.15", "Mac"},
		{"a program", "curl/8.14.1", "curl 8.14", "Other"},
		{"nothing", "", "Other", "Other"},
		{"nonsense", "\x00%s/Chrome", "Other", "Other"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := useragent.Parse(row.header)
			if a.String() != row.want || a.Device.Family != row.device {
				t.Errorf("got %q on %q, want %q on %q", a, a.Device.Family, row.want, row.device)
			}
		})
	}
}
