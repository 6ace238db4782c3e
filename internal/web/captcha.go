package web

import "github.com/weir-id/weir/flow"

// Captcha is the place of a check whether somebody is there: a provider's widget
// or a piece of work, as its challenge says.
type Captcha struct {
	Page *Page
	// Name is the hidden field that takes the token.
	Name      string
	Challenge flow.Challenge
	// Auto sends the form when the check is done.
	Auto bool
}

// newCaptcha places a challenge. A page that shows a problem sends nothing by
// itself, or one that comes again and again would never end.
func newCaptcha(p *Page, name string, c flow.Challenge, auto bool) Captcha {
	return Captcha{p, name, c, auto && len(p.Errors) == 0}
}
