// Package consent holds the stage that asks a person whether they agree: to what
// an application gets to know, or to what a text says.
package consent

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	store "github.com/weir-id/weir/internal/consent"
)

//go:embed *.html
var pages embed.FS

// What earlier stages and providers leave for this one.
const (
	keyHeader = flow.Key[string]("consent_header")
	// keyMailed tells that the question stands behind a link of a mail.
	keyMailed      = flow.Key[bool]("weir_mail_link")
	keyPermissions = flow.Key[[]any]("consent_permissions")
)

// Mode says how long consent holds.
type Mode string

// The modes on the wire.
const (
	AlwaysRequire Mode = "always_require"
	Permanent     Mode = "permanent"
	Expiring      Mode = "expiring"
)

// Choices lists the modes.
func (Mode) Choices() []string {
	return []string{string(AlwaysRequire), string(Permanent), string(Expiring)}
}

// Consents keeps what people agreed to.
type Consents interface {
	// Of returns what a person has agreed to for an application, as far as it
	// holds now; nil for nothing.
	Of(ctx context.Context, user int64, application uuid.UUID) (*store.Consent, error)
	// Grant stores what a person agrees to.
	Grant(ctx context.Context, tx flow.Tx, c store.Consent) error
}

// Env is what the type needs of the rest of the program.
type Env struct {
	Consents Consents
	// Key makes tokens of the form.
	Key []byte
}

// Config is the configuration of a consent stage.
type Config struct {
	Mode Mode `json:"mode"`
	// ConsentExpireIn is how long consent holds in mode expiring.
	ConsentExpireIn field.Duration `json:"consent_expire_in"`
}

// Validate refuses consent that ends before it begins.
func (c *Config) Validate() field.Errors {
	if c.ConsentExpireIn.Duration() < 0 {
		return field.Errorf("consent_expire_in", field.CodeInvalid, "Enter a duration that is not negative, like weeks=4.")
	}
	return nil
}

// Type returns the stage type.
func Type(env Env) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "consent",
		Path:        "consent",
		Model:       "authentik_stages_consent.consentstage",
		Component:   "ak-stage-consent-form",
		Label:       "Consent Stage",
		Description: "Asks the person whether they agree.",
		Exchanges:   []flow.Exchange{{Name: "Consent", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:       pages,
	}, func() Config { return Config{Mode: AlwaysRequire, ConsentExpireIn: "weeks=4"} },
		func(Config) flow.Effects { return flow.Effects{} },
		func(_ string, c Config) flow.Stage { return &stage{c, env} })
}

// Challenge asks for consent.
type Challenge struct {
	flow.UserInfo
	HeaderText string `json:"header_text,omitempty"`
	// Mailed tells that a link in a mail led here, which pages say in place of
	// HeaderText.
	Mailed      bool         `json:"-"`
	Permissions []Permission `json:"permissions" field:"required"`
	// Additional are those that the person has not agreed to before.
	Additional []Permission `json:"additional_permissions" field:"required"`
	// Token has to come back: it tells what was shown.
	Token string `json:"token" field:"required"`

	application string
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-consent" }

// Application is the name of the application that asks; empty for none.
func (c *Challenge) Application() string { return c.application }

// Permission is something that an application gets to know or may do.
type Permission struct {
	Name string `json:"name" field:"required"`
	ID   string `json:"id" field:"required"`
}

type answer struct {
	Token string `json:"token" field:"required"`
}

type stage struct {
	config Config
	env    Env
}

var _ flow.Stage = (*stage)(nil)

// question is what is to be agreed to.
type question struct {
	user        int64
	application *flow.Ref
	// known are those agreed to before, added the others.
	known, added []Permission
	// settled tells that nothing has to be asked; keeps that an answer is kept.
	settled, keeps bool
}

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	q, err := s.question(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	if q.settled {
		return flow.Skip(), nil
	}
	c := &Challenge{Permissions: q.known, Additional: q.added, Token: s.token(x, q, x.Now)}
	c.HeaderText, _ = keyHeader.Get(x.Context)
	c.Mailed, _ = keyMailed.Get(x.Context)
	if q.application != nil {
		c.application = q.application.Name
	}
	return flow.Ask(c), nil
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	q, err := s.question(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	if !s.valid(x, q, a.Token) {
		return flow.AskAgain(field.Errors{"token": {{Code: field.CodeInvalid, Message: "consent.error.token", String: "This page was out of date. Look at it again."}}}), nil
	}
	out := flow.Done()
	if !q.keeps {
		return out, nil
	}
	given := store.Consent{User: q.user, Application: q.application.ID}
	for _, p := range slices.Concat(q.known, q.added) {
		given.Permissions = append(given.Permissions, p.ID)
	}
	if s.config.Mode == Expiring {
		until := x.Now.Add(s.config.ConsentExpireIn.Duration())
		given.Expires = &until
	}
	out.Apply = func(ctx context.Context, tx flow.Tx) error { return s.env.Consents.Grant(ctx, tx, given) }
	return out, nil
}

// question finds out what is to be asked. Consent is kept for people with an
// account and for applications; everything else is asked each time.
func (s *stage) question(ctx context.Context, x *flow.Exec) (*question, error) {
	wanted := permissions(x)
	q := &question{known: wanted, added: []Permission{}}
	q.application, _ = flow.KeyApplication.Get(x.Context)
	p, err := x.PendingUser(ctx)
	if err != nil {
		return nil, err
	}
	if q.user = p.ID; s.config.Mode == AlwaysRequire || q.application == nil || !p.Saved() {
		return q, nil
	}
	q.keeps = true
	given, err := s.env.Consents.Of(ctx, p.ID, q.application.ID)
	if err != nil {
		return nil, fmt.Errorf("look for consent: %w", err)
	}
	if given == nil {
		return q, nil
	}
	q.known = []Permission{}
	for _, w := range wanted {
		if slices.Contains(given.Permissions, w.ID) {
			q.known = append(q.known, w)
		} else {
			q.added = append(q.added, w)
		}
	}
	q.settled = len(q.added) == 0 && len(q.known) == len(given.Permissions)
	return q, nil
}

// permissions are what a provider asks for, each once.
func permissions(x *flow.Exec) []Permission {
	out := []Permission{}
	list, _ := keyPermissions.Get(x.Context)
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		id, _ := m["id"].(string)
		name, _ := m["name"].(string)
		if id == "" || strings.ContainsAny(id, " \t\n") || slices.ContainsFunc(out, func(p Permission) bool { return p.ID == id }) {
			continue
		}
		if name == "" {
			name = id
		}
		out = append(out, Permission{Name: name, ID: id})
	}
	return out
}

// tokenLife is how long a page may be looked at before it is answered.
const tokenLife = time.Hour

// token tells what was shown, to whom and where, so that nobody agrees to more
// than they saw, and no other site answers for them.
func (s *stage) token(x *flow.Exec, q *question, at time.Time) string {
	issued := strconv.FormatInt(at.Unix(), 36)
	mac := hmac.New(sha256.New, s.env.Key)
	header, _ := keyHeader.Get(x.Context)
	parts := []string{x.Place(), issued, strconv.FormatInt(q.user, 10), header}
	if q.application != nil {
		parts = append(parts, q.application.ID.String())
	}
	for _, list := range [][]Permission{q.known, q.added} {
		parts = append(parts, strconv.Itoa(len(list)))
		for _, p := range list {
			parts = append(parts, p.ID, p.Name)
		}
	}
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return issued + "." + hex.EncodeToString(mac.Sum(nil))
}

func (s *stage) valid(x *flow.Exec, q *question, token string) bool {
	text, _, _ := strings.Cut(token, ".")
	issued, err := strconv.ParseInt(text, 36, 64)
	if err != nil || len(text) > 12 {
		return false
	}
	at := time.Unix(issued, 0)
	if age := x.Now.Sub(at); age < -time.Minute || age > tokenLife {
		return false
	}
	return hmac.Equal([]byte(token), []byte(s.token(x, q, at)))
}
