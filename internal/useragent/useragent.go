// Package useragent tells from the User-Agent header of a request what it was
// sent with, in the words of the published API. The header is the visitor's own
// claim and decides nothing; the few browsers and systems that people use are
// enough for the list of one's sessions.
package useragent

import "strings"

// Other is what an unknown browser, system or device is called.
const Other = "Other"

// Agent is what a header says.
type Agent struct {
	Browser, System Product
	Device          Device
}

// Product is a program with its version; parts of it that are not known are
// empty.
type Product struct{ Family, Major, Minor, Patch string }

// Device is the hardware, as far as it is told.
type Device struct{ Family, Brand, Model string }

// word is a part of a header and what it stands for. The version follows it, or
// follows "version" where that is set.
type word struct{ part, name, version string }

// The order matters: Edge also says Chrome, and Chrome also says Safari.
var (
	browsers = []word{{"Edg/", "Edge", ""}, {"EdgA/", "Edge", ""}, {"EdgiOS/", "Edge", ""}, {"OPR/", "Opera", ""}, {"Firefox/", "Firefox", ""},
		{"FxiOS/", "Firefox", ""}, {"Chrome/", "Chrome", ""}, {"CriOS/", "Chrome", ""}, {"Safari/", "Safari", "Version/"}, {"curl/", "curl", ""},
		{"Go-http-client/", "Go-http-client", ""}, {"Terraform/", "Terraform", ""}}
	systems = []word{{"Windows NT ", "Windows", ""}, {"Windows", "Windows", ""}, {"Android ", "Android", ""}, {"Android", "Android", ""},
		{"iPhone", "iPhone", " OS "}, {"iPad", "iPad", " OS "}, {"Mac OS X ", "macOS", ""}, {"Mac OS X", "macOS", ""}, {"CrOS", "ChromeOS", ""}, {"Linux", "Linux", ""}}
	devices = []struct {
		part string
		Device
	}{{"iPhone", Device{"iPhone", "Apple", "iPhone"}}, {"iPad", Device{"iPad", "Apple", "iPad"}}, {"Macintosh", Device{"Mac", "Apple", "Mac"}}}
)

// Parse reads a header.
func Parse(header string) Agent {
	a := Agent{Browser: find(header, browsers), System: find(header, systems), Device: Device{Family: Other}}
	for _, d := range devices {
		if strings.Contains(header, d.part) {
			a.Device = d.Device
			break
		}
	}
	return a
}

func find(header string, words []word) Product {
	for _, w := range words {
		_, rest, ok := strings.Cut(header, w.part)
		if !ok {
			continue
		}
		if w.version != "" {
			_, rest, _ = strings.Cut(header, w.version)
		}
		p := Product{Family: w.name}
		p.Major, rest = number(rest)
		p.Minor, rest = number(rest)
		p.Patch, _ = number(rest)
		return p
	}
	return Product{Family: Other}
}

// number takes the digits that text begins with, and the dot or underscore
// behind them.
func number(text string) (digits, rest string) {
	n := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		return text, ""
	}
	rest = text[n:]
	if strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "_") {
		rest = rest[1:]
	} else {
		rest = ""
	}
	return text[:n], rest
}

// String names browser and system: "Firefox 140.0 / Linux".
func (a Agent) String() string {
	var parts []string
	for _, p := range []Product{a.Browser, a.System} {
		if p.Family == Other {
			continue
		}
		s := p.Family
		if p.Major != "" {
			s += " " + p.Major
			if p.Minor != "" {
				s += "." + p.Minor
			}
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return Other
	}
	return strings.Join(parts, " / ")
}
