package weir

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/mail"
	"net/url"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/flowtoken"
	outbox "github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/stages/email"
	"github.com/weir-id/weir/internal/store"
)

// links implements email.Links: a link is a flow token and a mail, both or neither.
type links struct{ in *Installation }

// Write implements email.Links.
func (l links) Write(_ context.Context, letter *email.Letter) (email.Sendable, error) {
	in := l.in
	if letter.Via == nil && !in.mailer.Configured() {
		return nil, outbox.ErrNotConfigured
	}
	key := flowtoken.NewKey()
	query := maps.Clone(letter.Query)
	if query == nil {
		query = url.Values{}
	}
	query.Set(flow.ParamFlowToken, key)
	address := in.mailer.Link("/if/flow/"+url.PathEscape(letter.Flow.Slug)+"/", query)
	message := outbox.Message{Subject: letter.Subject, Purpose: letter.Purpose, Account: letter.Person.ID, Client: letter.Client,
		Language: in.mails.Language(letter.Language), Until: letter.Token.Expires, Via: letter.Via}
	var subject string
	var err error
	subject, message.Text, message.HTML, err = in.mails.Render(letter.Template, message.Language, map[string]any{"url": address, "user": letter.Person,
		"expires": letter.Token.Expires, "token": key, "subject": letter.Subject})
	if err != nil {
		return nil, err
	}
	message.Subject = cmp.Or(message.Subject, subject)
	if letter.To != "" {
		message.To = []string{(&mail.Address{Name: letter.Person.Name, Address: letter.To}).String()}
	}
	return &ready{in, letter, message, key}, nil
}

// ready is a link that is written.
type ready struct {
	in      *Installation
	letter  *email.Letter
	message outbox.Message
	key     string
}

// Send implements email.Sendable. What was asked for again is counted first, for
// names that nobody has as well.
func (r *ready) Send(ctx context.Context, tx flow.Tx) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("send link: %T is no store transaction", tx)
	}
	l := r.letter
	if l.Again {
		if err := r.in.limits.Again(ctx, w, l.Stage.String(), l.Name, l.Most, l.Within); err != nil {
			return err
		}
	}
	if l.To == "" {
		if err := r.in.mailer.Pretend(ctx, w, r.message, l.Name); err != nil {
			return err
		}
		return r.in.flowTokens.Pretend(ctx, w, r.key, l.Token)
	}
	if err := r.in.mailer.Queue(ctx, w, r.message); err != nil {
		return err
	}
	return r.in.flowTokens.Put(ctx, w, r.key, l.Token)
}
