package weir

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/mail"
	"net/url"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowtoken"
	outbox "github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/stages/authenticatoremail"
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
	message, err := in.compose(outbox.Message{Subject: letter.Subject, Purpose: letter.Purpose, Client: letter.Client, Until: letter.Token.Expires, Via: letter.Via,
		Language: letter.Language}, letter.Template, letter.Person, letter.To, map[string]any{"url": address, "token": key})
	if err != nil {
		return nil, err
	}
	return &ready{in, letter, message, key}, nil
}

// compose fills a mail of a stage with what its template makes of data, in the
// language that suits best.
func (in *Installation) compose(m outbox.Message, template string, p *identity.Person, to string, data map[string]any) (outbox.Message, error) {
	m.Account, m.Language = p.ID, in.mails.Language(m.Language)
	data["user"], data["expires"], data["subject"] = p, m.Until, m.Subject
	subject, text, page, err := in.mails.Render(template, m.Language, data)
	if err != nil {
		return m, err
	}
	m.Subject, m.Text, m.HTML = cmp.Or(m.Subject, subject), text, page
	if to != "" {
		m.To = []string{(&mail.Address{Name: p.Name, Address: to}).String()}
	}
	return m, nil
}

// letters sends the codes of package authenticatoremail.
type letters struct{ in *Installation }

// Write implements authenticatoremail.Letters.
func (l letters) Write(_ context.Context, letter *authenticatoremail.Letter) (func(ctx context.Context, tx flow.Tx) error, error) {
	in := l.in
	message, err := in.compose(outbox.Message{Subject: letter.Subject, Purpose: outbox.Code, Client: letter.Client, Until: letter.Expires, Via: letter.Via,
		Language: letter.Language}, letter.Template, letter.Person, letter.To, map[string]any{"token": letter.Code})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx flow.Tx) error {
		w, ok := tx.(store.Tx)
		if !ok {
			return fmt.Errorf("send code: %T is no store transaction", tx)
		}
		return in.mailer.Queue(ctx, w, message)
	}, nil
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
