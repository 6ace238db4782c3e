package authenticatorsms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
)

const (
	// lasts is how long a code holds.
	lasts = 5 * time.Minute
	// patience is how long a provider may take: somebody is waiting.
	patience = 10 * time.Second
	// twilio is where Twilio is asked.
	twilio = "https://api.twilio.com"
)

// message is a code on its way.
type message struct {
	person *identity.Person
	to     string
	code   authenticator.Code
	stage  string
	// client is where the browser is, language what it or the person asks for.
	client   netip.Addr
	language string
}

func newMessage(x *flow.Exec, p *identity.Person, to, stage string, code authenticator.Code) *message {
	return &message{p, to, code, stage, x.ClientIP(), mail.Wanted(p, x.HTTP())}
}

// send has a message sent, once it is counted. The error is a *guard.LimitedError or
// wraps authenticator.ErrUnsent, and holds neither code nor secret.
func (e *Env) send(ctx context.Context, c *Config, m *message) error {
	if err := e.House.CountMessage(ctx, guard.Send{Account: m.person.ID, Recipients: []string{m.to}, Client: m.client}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := e.request(ctx, c, m)
	if err == nil {
		err = e.call(r)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", authenticator.ErrUnsent, strings.ReplaceAll(err.Error(), m.code.Text, "******"))
}

// request is what the provider is asked.
func (e *Env) request(ctx context.Context, c *Config, m *message) (*http.Request, error) {
	text, err := e.House.CodeText(m.language, m.code.Text)
	if err != nil {
		return nil, err
	}
	var mapped any
	if c.Mapping != nil {
		mapped, err = e.House.MapMessage(ctx, *c.Mapping, m.person, map[string]any{"token": m.code.Text,
			"device": map[string]any{"phone_number": m.to, "name": deviceName}, "stage": map[string]any{"name": m.stage, "from_number": c.FromNumber}})
		if err != nil {
			return nil, fmt.Errorf("the mapping has failed: %w", err)
		}
	}
	if c.Provider == Twilio {
		return e.twilio(ctx, c, m, text, mapped)
	}
	var payload any = map[string]any{"From": c.FromNumber, "To": m.to, "Body": m.code.Text, "Message": text}
	if c.Mapping != nil {
		payload = mapped
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.AccountSID, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of the provider is not valid")
	}
	r.Header.Set("Content-Type", "application/json")
	if c.AuthType == Bearer {
		r.Header.Set("Authorization", "Bearer "+c.Auth)
	} else {
		r.SetBasicAuth(c.Auth, c.AuthPassword)
	}
	return r, nil
}

// twilio is a message as Twilio's API takes it (Messages resource, version
// 2010-04-01).
func (e *Env) twilio(ctx context.Context, c *Config, m *message, text string, mapped any) (*http.Request, error) {
	if own, ok := mapped.(map[string]any); ok {
		if s, ok := own["message"].(string); ok && s != "" {
			text = s
		}
	}
	base := e.Twilio
	if base == "" {
		base = twilio
	}
	form := url.Values{"To": {m.to}, "From": {c.FromNumber}, "Body": {text}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/2010-04-01/Accounts/"+url.PathEscape(c.AccountSID)+"/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the address of the provider is not valid")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.AccountSID, c.Auth)
	return r, nil
}

// call asks the provider. What it is told is for nobody else, so no redirect is
// followed.
func (e *Env) call(r *http.Request) error {
	client := *e.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	if err != nil {
		// The address may hold a key.
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		return fmt.Errorf("the provider cannot be reached: %w", err)
	}
	// The status says all. The body is not waited for, however long it is.
	_ = res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the provider answered %d", res.StatusCode)
	}
	return nil
}

// failed is the event of a message that a provider did not take; none for a message
// that was not tried.
func failed(x *flow.Exec, stage map[string]any, err error) []flow.Event {
	if !errors.Is(err, authenticator.ErrUnsent) {
		return nil
	}
	return []flow.Event{{Action: string(event.ConfigurationError), Context: map[string]any{"message": "A text message with a code cannot be sent: " + err.Error(), "stage": stage}}}
}
