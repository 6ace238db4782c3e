package media

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Why something is not taken for a picture.
var (
	ErrKind   = errors.New("send a picture of the kind that its name says")
	ErrSize   = errors.New("send a picture of at most 2 MB")
	ErrActive = errors.New("send a drawing without scripts, event handlers, embedded pages and document types")
)

// check refuses what is not a picture of a kind.
func check(kind string, data []byte) error {
	switch {
	case len(data) > MaxBytes:
		return ErrSize
	case kind == "image/svg+xml":
		return checkDrawing(data)
	case kind == "image/avif":
		if len(data) < 12 || string(data[4:12]) != "ftypavif" {
			return ErrKind
		}
	case http.DetectContentType(data) != kind:
		return ErrKind
	}
	return nil
}

// checkDrawing refuses drawings that could do something where they are opened by
// themselves; besides, they are served so that nothing in them runs.
func checkDrawing(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	for first := true; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if err != nil {
			return ErrKind
		}
		switch t := token.(type) {
		case xml.Directive:
			return ErrActive
		case xml.StartElement:
			name := strings.ToLower(t.Name.Local)
			if first && name != "svg" {
				return ErrKind
			}
			first = false
			if active(name, t.Attr) {
				return ErrActive
			}
		}
	}
}

func active(name string, attributes []xml.Attr) bool {
	switch name {
	case "script", "foreignobject", "iframe", "object", "embed", "handler":
		return true
	}
	for _, a := range attributes {
		value := strings.ToLower(strings.Join(strings.Fields(a.Value), ""))
		if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") || strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:text/html") {
			return true
		}
	}
	return false
}
