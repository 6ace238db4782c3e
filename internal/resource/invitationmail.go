package resource

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	store "github.com/weir-id/weir/internal/invitation"
	"github.com/weir-id/weir/internal/mail"
)

// InvitationMail says to whom an invitation is sent.
type InvitationMail struct {
	// To get a mail each, so that they do not see each other. Cc and Bcc get a
	// copy of the first one.
	To  []string `json:"email_addresses" field:"required,max=20"`
	Cc  []string `json:"cc_addresses" field:"max=10"`
	Bcc []string `json:"bcc_addresses" field:"max=10"`
	// Template is "invitation" or one that an administrator has added.
	Template string `json:"template" field:"default"`
}

// NewInvitationMail returns one with the defaults.
func NewInvitationMail() InvitationMail {
	return InvitationMail{Cc: []string{}, Bcc: []string{}, Template: "invitation"}
}

// MailInvitation sends the link of an invitation by mail: to all addresses or, if
// there is anything against one of them, to none.
func (r *Registry) MailInvitation(ctx context.Context, w *Write, ref *Ref, m InvitationMail) error {
	if len(m.To) == 0 {
		return field.Errorf("email_addresses", field.CodeRequired, "Enter at least one e-mail address.")
	}
	template := m.Template
	if !strings.Contains(template, "/") {
		template = path.Join("email", template+".html")
	}
	if template != mail.InvitationTemplate && !r.mails.Added(template) {
		return field.Errorf("template", field.CodeInvalidChoice, "Choose the template invitation or one of your own; %q is none.", m.Template)
	}
	// Somebody may have used or changed it since it was found.
	i, err := r.invitation.load(ctx, w.Store(), &Ref{Key: ref.Key})
	if err != nil {
		return err
	}
	link, err := r.mailedLink(w, i)
	if err != nil {
		return err
	}
	data := map[string]any{"url": link}
	message := mail.Message{Purpose: mail.Invitation, Cc: m.Cc, Bcc: m.Bcc, Language: r.mails.Language(mail.Wanted(w.By.Person, w.By.HTTP))}
	if i.Expires != nil {
		data["expires"], message.Until = *i.Expires, *i.Expires
	}
	if w.By.HTTP != nil {
		message.Client = w.By.HTTP.ClientIP
	}
	if message.Subject, message.Text, message.HTML, err = r.mails.Render(template, message.Language, data); err != nil {
		return fmt.Errorf("make mail of invitation %s: %w", i.Name, err)
	}
	for _, to := range m.To {
		message.To = []string{to}
		if err := r.mailer.Queue(ctx, w.Store(), message); err != nil {
			return MailRefusal(err)
		}
		message.Cc, message.Bcc = nil, nil
	}
	app, model, _ := strings.Cut(invitationModel, ".")
	return r.invitation.events.Record(ctx, w.Store(), event.Event{Action: event.SecretView, User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand,
		Context: map[string]any{"secret": event.Model{App: app, Model: model, PK: ref.ID(), Name: i.Name}, "message": "The link of the invitation was sent by mail."}})
}

// mailedLink is the address of an invitation for a mail: below the configured
// address of the site, and no other (rule 21).
func (r *Registry) mailedLink(w *Write, i *store.Invitation) (string, error) {
	refuse := func(text string) (string, error) {
		return "", field.Errorf(field.NonField, field.CodeInvalid, "%s", text)
	}
	if r.baseURL == "" {
		return refuse("Set the base URL of the site first (WEIR_BASE_URL): links in mails lead there alone.")
	}
	if i.Expires != nil && !i.Expires.After(r.invitation.now()) {
		return refuse("This invitation has expired. Set a later date, or make a new one.")
	}
	if i.Flow == nil {
		return refuse("This invitation has no flow that its link could lead into. Choose one first.")
	}
	f, ok := w.Snapshot().Flow(*i.Flow)
	if !ok {
		return refuse("The flow of this invitation does not exist any more. Choose another one first.")
	}
	return r.mailer.Link(InvitationPath(f.Slug), url.Values{"itoken": {i.ID.String()}}), nil
}

// InvitationPath is the address at which an invitation into a flow is accepted; its
// id follows in the parameter itoken.
func InvitationPath(slug string) string { return "/if/flow/" + slug + "/" }

// MailRefusal turns what keeps a mail from being sent into what its author is told.
// Who may send one has proved who they are, so all limits may be told.
func MailRefusal(err error) error {
	if limited := guard.Refusal(err); limited != nil {
		return limited
	}
	switch {
	case errors.Is(err, mail.ErrNotConfigured):
		return field.Errorf(field.NonField, field.CodeInvalid, "No mail server is configured.")
	case errors.Is(err, mail.ErrFull):
		return field.Errorf(field.NonField, field.CodeInvalid, "Too many mails wait to be sent. Try again later.")
	}
	return err
}

// Validate names the addresses that are none.
func (m *InvitationMail) Validate() field.Errors {
	var errs field.Errors
	for name, list := range map[string][]string{"email_addresses": m.To, "cc_addresses": m.Cc, "bcc_addresses": m.Bcc} {
		if i := slices.IndexFunc(list, func(a string) bool { return mail.CheckAddress(a) != nil }); i >= 0 {
			errs = errs.Add(name, field.Error{Code: field.CodeInvalid, String: fmt.Sprintf("Enter e-mail addresses, like name@example.com; %q is none.", list[i])})
		}
	}
	return errs
}
