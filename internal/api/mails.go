package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// Mails are the templates of mails.
type Mails interface {
	// Names lists them, such as email/password_reset.html.
	Names() []string
	// Preview shows one with values that stand for real ones.
	Preview(template, lang string, data map[string]any) (subject, text, html string, err error)
}

// mailRoutes are the calls of the outbox besides the generic ones.
func (a *API) mailRoutes() []Route {
	k := a.Kinds.Model("weir_mail.message")
	return []Route{
		{http.MethodPost, k.Path + "/{" + k.Param + "}/retry/", onOne(k, resource.RetryMail),
			Doc{Call: "create", Summary: "Send a mail again that was not sent, or at once if it waits", Status: http.StatusNoContent}, retryMail},
		{http.MethodGet, "mail/preview/", onSome(k, access.View), Doc{Call: "retrieve", Summary: "Show what mails of a template look like",
			Query: []resource.Filter{{Name: "template", Required: true}, {Name: "language"}}, Answer: valueOf(mailPreview{})}, previewMail},
	}
}

func retryMail(c *call) error {
	if err := c.write(func(ctx context.Context, w *resource.Write) error { return c.api.Kinds.RetryMail(ctx, w, c.ref) }); err != nil {
		return err
	}
	return c.done()
}

// mailPreview is a mail to nobody, in both of its forms.
type mailPreview struct {
	Subject string `json:"subject" field:"required"`
	Text    string `json:"text" field:"required"`
	HTML    string `json:"html" field:"required"`
}

func previewMail(c *call) error {
	q := c.r.URL.Query()
	name := q.Get("template")
	if !slices.Contains(c.api.Mails.Names(), name) {
		return field.Errorf("template", field.CodeInvalidChoice, "There is no template %q. stages/email/templates/ lists them.", name)
	}
	subject, text, html, err := c.api.Mails.Preview(name, q.Get("language"), nil)
	if err != nil {
		return field.Errorf("template", field.CodeInvalid, "%s", err)
	}
	return c.answer(http.StatusOK, mailPreview{subject, text, html})
}
