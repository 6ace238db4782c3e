// Package web holds the pages a person meets: flow pages, the signed-in home,
// error pages, and the stylesheet, module, pictures and texts they use. It
// shows what package flow answers; it decides nothing about flows itself.
//
// # Stage templates
//
// A stage type shows its challenges through one html/template file for each
// component, named "<component>.html", in StageType.Pages. The layout writes
// everything around it: <title>, h1, notices, error summary, user badge, the
// main form with its hidden fields, footer. A file defines three blocks:
//
//	{{define "title"}}{{t "password.title"}}{{end}}   required; the text of h1 and <title>, no markup, one line
//	{{define "content"}} ... {{end}}                  required; fields and the primary button, inside the main form
//	{{define "ways"}} ... {{end}}                     optional; links and secondary forms, after the main form
//
// A page without a form defines "main" instead of "content": all between
// <main> and </main>, its h1 and "badge" included. Forms never nest, so a
// second form belongs into "ways". No file contains style attributes, inline
// scripts or event handlers; the browser would refuse them.
//
// Dot is a *Page in every block:
//
//	.Challenge   the challenge, a pointer to the stage's own type: .Challenge.PasswordFields
//	.Info        *flow.Info; .Info.Title is the title of the flow
//	.Errors      field.Errors of a refused answer
//	.Values      what was submitted, without secrets: {{index .Values "uid_field"}}
//	.User        flow.UserInfo of a challenge that embeds it: .User.PendingUser
//	.Brand       .Brand.Title is the name of the site
//	.Action      the address that every form of the step posts to
//
// Functions:
//
//	t ID NAME VALUE ...      text from locales/*.yaml with its placeholders; "Count" also picks the plural.
//	                         An unknown constant ID stops the program at start.
//	field PAGE NAME KEY VALUE ...
//	                         one input, for the partials below. Keys: label, hint, type (default "text"), value (start value),
//	                         autocomplete, inputmode, enterkeyhint, autocapitalize, dir, username, remember (strings);
//	                         required, optional, focus, nospell, reveal, code, checked (booleans). It adds id, errors
//	                         and the submitted value. focus asks for the cursor; the first empty field that asks gets it.
//	fieldErrors PAGE NAME    the texts of the problems of one field ("non_field_errors" for the whole form)
//	problem ERROR            the text of a *field.Error, for the partial "alert"
//	post PAGE LABEL KEY VALUE ...
//	                         a form of one button, for the partial "post". Keys: name, value (what the button sends),
//	                         icon, hint, class ("secondary" by default, "primary", "link")
//	alert KIND TITLE TEXT    for the partial "alert"; KIND is info, success, warning or error; TITLE may be ""
//	link URL TEXT            for the partial "way"
//	qr TEXT                  a QR code: .Size and the .Path of an svg
//	otpauth ADDRESS          the address of an authenticator app, for href; empty for any other address
//	duolink ADDRESS          the same for the address of Duo's app
//	groups KEY               a key in groups of four
//	today                    the day by UTC: 2026-11-24
//
// Partials:
//
//	{{template "field" (field . "code" "label" (t "code.label") "code" true "required" true "focus" true)}}
//	{{template "password-field" (field . "password" "label" (t "password.label") "autocomplete" "current-password"
//	    "reveal" .Challenge.AllowShowPassword "username" .User.PendingUser)}}
//	                         never shows a submitted value; username writes the hidden name for password managers
//	{{template "check-field" (field . "remember" "label" (t "...") "checked" true)}}    sends "on" when ticked
//	                         with remember = the id of an input, the browser keeps that input's value while it is ticked;
//	                         such a box is called "weir.remember" and appears only where the module runs
//	{{template "captcha" (captcha . "token" .Challenge true)}}
//	                         the place of a captcha and its hidden field; true sends the form when the check is done.
//	                         What carries data-ready and hidden is shown once the module runs
//	{{template "passkey" (passkey . "create" .Challenge.Registration)}}
//	                         the place of a ceremony ("create", "get", or "beside" in a form of its own in "ways"), its
//	                         hidden field and its button
//	{{template "duo" .}}                       asks how far an enrolment at Duo is, and sends the form when it is done
//	{{template "submit" (t "form.continue")}}   the primary button of the main form; exactly one, last in "content"
//	{{template "post" (post . (t "...") "name" "selected_challenge" "value" "totp:7")}}  in "ways"
//	{{template "way" (link .Challenge.RecoveryURL (t "identification.recovery"))}}         a link of its own line
//	{{template "alert" (alert "info" (t "...") (t "..."))}}
//	{{template "icon" "key"}}                  a symbol of static/icons.svg, always beside a visible word
//
// A submitted form becomes the body of a response: every field a string, empty
// ones included, and fields whose name begins with "weir." left out. A few
// names of the wire are not strings there; see formValues for them
// (remember_me, selected_challenge, webauthn, passkey, response, duo).
package web

import (
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/api/openapi"
)

// Page is what a template shows.
type Page struct {
	// Lang is the language of the texts; Dir is "ltr" or "rtl".
	Lang string
	Dir  string
	// Brand is how the site looks.
	Brand *Look
	// Assets are the addresses of stylesheet, module and icons.
	Assets Assets
	// Layout is the class of the shell; a layout of package flow.
	Layout flow.Layout
	// Wide makes the panel wide, for pages that are no step of a flow.
	Wide bool
	// Background is the picture or frame beside the panel; nil for none.
	Background *Background

	// Challenge and Info are the step; nil on pages outside flows.
	Challenge flow.Challenge
	Info      *flow.Info
	Errors    field.Errors
	// Values are the submitted values of a refused answer, without secrets.
	Values Values
	// User is whom the challenge shows; zero for challenges that show nobody.
	User flow.UserInfo
	// Action is the page's own address with its raw query.
	Action string
	// Execution and Step are the handle that forms carry; the zero UUID when
	// nothing is stored.
	Execution uuid.UUID
	Step      int
	// Stale says that the form sent before was out of date.
	Stale bool
	// Lapsed says that the link that led here holds no more.
	Lapsed bool

	// Home, Problem, Redirect, Reference, Invitations and SignInLink are the contents of
	// the pages of those names; Settings those of the pages below /if/user/settings/.
	Home        *Home
	Settings    *Settings
	Problem     *Problem
	Redirect    *Redirect
	Reference   *openapi.Document
	Invitations *InvitationsPage
	SignInLink  *SignInLink
	// Inspection is the run of a flow that the page shows.
	Inspection *Inspection

	// Notice is the id of a text that says how something went.
	Notice string
	// Impersonated names the person as whom somebody else is here; empty for
	// people who act for themselves.
	Impersonated string

	// StartURL is where "Start again" leads.
	StartURL string

	summary []Message
	fields  []*Field
	focused bool
}

// Values are submitted form values by field name.
type Values map[string]string

// Handle is the execution as hidden fields carry it: empty while nothing is
// stored.
func (p *Page) Handle() string {
	if p.Execution == uuid.Nil {
		return ""
	}
	return p.Execution.String()
}

// Uploads tells whether the main form carries files.
func (p *Page) Uploads() bool {
	c, ok := p.Challenge.(interface{ Uploads() bool })
	return ok && c.Uploads()
}

// Summary lists the problems of a refused answer for the top of the page;
// empty where the page has a single field, which shows its own.
func (p *Page) Summary() []Message { return p.summary }

// CancelURL is where "Not you?" posts to; empty outside flows.
func (p *Page) CancelURL() string {
	if p.Info == nil {
		return ""
	}
	return p.Info.CancelURL
}

// Avatar is the picture beside the name: the one of the challenge when it
// comes from this site, else the initials. Another site would learn who signs
// in where.
func (p *Page) Avatar() string {
	if own, ok := flow.SafeNext(p.User.PendingUserAvatar); ok {
		return own
	}
	return AvatarPath(p.User.PendingUser)
}

// Plate is the text on the second piece of the content layouts.
func (p *Page) Plate() string {
	if p.Layout != flow.ContentLeft && p.Layout != flow.ContentRight {
		return ""
	}
	if p.Info != nil && p.Info.Title != "" {
		return p.Info.Title
	}
	return p.Brand.Title
}
