package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAvatarText bounds the text of an avatar address, in bytes.
const maxAvatarText = 600

// AvatarPath is the address of a picture with the initials of a user name; the
// anonymous visitor has "" and gets a plain one. Only the initials stand in the
// address, so names stay out of logs.
func AvatarPath(username string) string {
	return "/avatar/" + url.PathEscape(initials(username)) + ".svg"
}

// initials are the first letters of the first and the last word of a name, at
// most two. A name of one or two letters is its own initials.
func initials(name string) string {
	if len(name) > maxAvatarText {
		name = name[:maxAvatarText]
	}
	words := strings.FieldsFunc(strings.ToValidUTF8(name, ""), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	if len(words) == 0 {
		return "-"
	}
	if len(words) == 1 && utf8.RuneCountInString(words[0]) <= 2 {
		return strings.ToUpper(words[0])
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	out := string(unicode.ToUpper(first))
	if len(words) > 1 {
		last, _ := utf8.DecodeRuneInString(words[len(words)-1])
		out += string(unicode.ToUpper(last))
	}
	return out
}

var avatarPicture = template.Must(template.New("avatar").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" viewBox="0 0 40 40"><rect width="40" height="40" fill="#50596a"/><text x="20" y="20.5" fill="#fff" font-family="system-ui, sans-serif" font-size="16" font-weight="600" text-anchor="middle" dominant-baseline="central">{{.}}</text></svg>`))

// serveAvatar answers /avatar/<text>.svg for any text of bounded length.
func (s *Site) serveAvatar(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutSuffix(r.PathValue("text"), ".svg")
	if !ok || len(text) > maxAvatarText {
		s.notFound(w, r)
		return
	}
	var b strings.Builder
	if err := avatarPicture.Execute(&b, initials(text)); err != nil {
		s.fail(w, r, err)
		return
	}
	newAsset("image/svg+xml", []byte(b.String())).serve(w, r, aDay)
}
