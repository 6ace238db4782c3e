package web

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// QR is a QR code as the path of a picture.
type QR struct {
	// Size is the length of a side, with the quiet zone.
	Size int
	// Path draws the dark modules, row by row.
	Path string
}

// quiet is the width of the margin that scanners need, in modules (ISO/IEC 18004).
const quiet = 4

// newQR draws a text.
func newQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return QR{}, fmt.Errorf("draw QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for code.Black(x, y) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, n, n)
			}
		}
	}
	return QR{code.Size + 2*quiet, path.String()}, nil
}

// otpauth lets the address of an authenticator app pass the templates, which know
// the schemes of the web alone; anything else is no address.
func otpauth(address string) template.URL { return appLink("otpauth://totp/", address) }

// duolink does the same for the address of Duo's app.
func duolink(address string) template.URL { return appLink("duo://", address) }

func appLink(prefix, address string) template.URL {
	if !strings.HasPrefix(address, prefix) || strings.ContainsAny(address, "\"'<>\\ \r\n\t") {
		return ""
	}
	return template.URL(address)
}

// groups writes a key in groups of four, which are easier to copy.
func groups(key string) string {
	var b strings.Builder
	for i, r := range key {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
