// Package mtls holds the stage that knows people by a certificate of their
// client, which an authority has signed that the administrator trusts.
package mtls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/certificate"
)

// Env is what the stage needs of the rest of the program.
type Env struct {
	// Users finds people.
	Users Users
	// Vouches tells whether an outpost may say, for a stage, which certificate its
	// client has shown.
	Vouches func(ctx context.Context, outpost *identity.Person, stage uuid.UUID) (bool, error)
}

// Users finds people; it is directory.Directory.
type Users interface {
	// Named returns the one user of whom a field ("username", "email") is value,
	// to the letter; nil when there is none, or more than one.
	Named(ctx context.Context, field, value string) (*identity.Person, error)
}

// PassCertificate is the permission to say which certificate a client has shown.
const PassCertificate access.Verb = "pass_outpost_certificate"

// The model of the stage, without its app, and its app.
const (
	app   = "authentik_stages_mtls"
	Model = "mutualtlsstage"
)

// Type returns the stage type.
func Type(env Env) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "mtls",
		Path:        "mtls",
		Model:       app + "." + Model,
		Component:   "ak-stage-mtls-form",
		Label:       "Mutual TLS Stage",
		Schema:      "MutualTLSStage",
		Permissions: []string{string(PassCertificate)},
		Filters:     []string{"cert_attribute", "certificate_authorities", "mode", "stage_uuid", "user_attribute"},
		Description: "Knows people by the certificate of their client.",
	}, func() Config { return Config{CertificateAuthorities: []uuid.UUID{}} }, effects, func(_ string, c Config) flow.Stage {
		return flow.Plain((&stage{c, env}).check)
	})
}

// effects: in an enrolment the certificate proves whom it was made for, and
// leaves the name and address.
func effects(c Config) flow.Effects {
	e := flow.Effects{Sometimes: []flow.Fact{flow.FactData}}
	if c.Mode == Required {
		e.Always = []flow.Fact{flow.FactCertificate}
	} else {
		e.Sometimes = append(e.Sometimes, flow.FactCertificate)
	}
	return e
}

type stage struct {
	config Config
	env    Env
}

// What a person is told. That nobody has the name of a certificate is not told
// apart from an account that is switched off.
const (
	msgRequired = "A certificate is required here that your organisation has issued. Install it, close this browser, and try again."
	msgUnknown  = "Your certificate belongs to nobody who can sign in here. Ask your administrator."
	msgOther    = "Your certificate belongs to somebody else than the account that you have named."
)

// methodMTLS is the method on the wire.
const methodMTLS = "mtls"

// keyCertificate holds the certificate of an enrolment.
const keyCertificate = flow.Key[map[string]any]("certificate")

// check looks for a certificate, and for whom it is.
func (s *stage) check(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	c, err := s.verified(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	switch {
	case c == nil && s.config.Mode == Required:
		return flow.Deny(msgRequired), nil
	case c == nil:
		return flow.Skip(), nil
	case x.Flow.Designation == flow.Enrollment:
		return enrol(x, c), nil
	}
	return s.identify(ctx, x, c)
}

// verified returns the client's own certificate if it leads to one of the
// authorities now, else nil. The certificates behind it are no identities: the
// client has no key of theirs.
func (s *stage) verified(ctx context.Context, x *flow.Exec) (*x509.Certificate, error) {
	h := x.HTTP()
	if h == nil || h.Certificates == nil {
		return nil, nil
	}
	if h.Outpost != nil {
		if ok, err := s.env.Vouches(ctx, h.Outpost, x.StageID); err != nil || !ok {
			return nil, err
		}
	}
	trusted, between := s.authorities(x)
	if trusted == nil {
		return nil, nil
	}
	shown := h.Certificates()
	if len(shown) == 0 {
		return nil, nil
	}
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: trusted, Intermediates: between, CurrentTime: x.Now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, nil // no certificate of ours
	}
	return shown[0], nil
}

// authorities are those of the stage, or of the brand where the stage names
// none; nil for none that can be read. The certificates behind an authority lead
// to it and are not trusted by themselves.
func (s *stage) authorities(x *flow.Exec) (trusted, between *x509.CertPool) {
	ids := s.config.CertificateAuthorities
	if len(ids) == 0 && x.Brand != nil {
		ids = x.Brand.ClientCertificates
	}
	between = x509.NewCertPool()
	for _, id := range ids {
		doc, _ := x.Catalog.Document(id)
		pair, ok := doc.(*certificate.Pair)
		if !ok || pair.Parsed == nil {
			continue
		}
		if trusted == nil {
			trusted = x509.NewCertPool()
		}
		trusted.AddCert(pair.Parsed.Leaf())
		for _, c := range pair.Parsed.Chain[1:] {
			between.AddCert(c)
		}
	}
	return trusted, between
}

// proof is that of the certificate, which is an authenticator of its own.
func proof(x *flow.Exec, c *x509.Certificate, user int64) flow.Proof {
	return flow.Proof{Fact: flow.FactCertificate, User: user, Channel: methodMTLS, Authenticator: "certificate/" + certificate.SHA256(c),
		Methods: []string{flow.MethodKey}, At: x.Now}
}

// enrol leaves what the certificate says of a person who has no account yet.
func enrol(x *flow.Exec, c *x509.Certificate) flow.Outcome {
	known, _ := flow.KeyPromptData.Get(x.Context)
	data := map[string]any{}
	maps.Copy(data, known)
	for name, value := range map[string]string{"email": certificate.Email(c), "name": certificate.CommonName(c)} {
		if value != "" {
			data[name] = value
		}
	}
	flow.KeyPromptData.Set(x.Context, data)
	described := certificate.Describe(c)
	described["raw"] = certificate.PEM(c)
	keyCertificate.Set(x.Context, described)
	return flow.Done().Prove(proof(x, c, 0))
}

// identify makes the pending user whom the certificate names. Somebody whom an
// earlier stage has named stays who they are: their password and another
// person's certificate are not two factors of anybody (rule 28).
func (s *stage) identify(ctx context.Context, x *flow.Exec, c *x509.Certificate) (flow.Outcome, error) {
	p, err := s.owner(ctx, c)
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("look for the owner of a certificate: %w", err)
	}
	if p == nil || !p.Active {
		return flow.Deny(msgUnknown), nil // also when the certificate is optional
	}
	named, err := x.ContextUser(ctx)
	if err != nil && !errors.Is(err, flow.ErrNoPerson) {
		return flow.Outcome{}, err
	}
	if err != nil || named != nil && named.ID != p.ID {
		return flow.Deny(msgOther), nil
	}
	if named == nil {
		x.SetPendingUser(p)
	}
	if method, _ := flow.KeyAuthMethod.Get(x.Context); method == "" {
		flow.KeyAuthMethod.Set(x.Context, methodMTLS)
	}
	known, _ := flow.KeyAuthMethodArgs.Get(x.Context)
	args := map[string]any{}
	maps.Copy(args, known)
	args["certificate"] = certificate.Describe(c)
	flow.KeyAuthMethodArgs.Set(x.Context, args)
	return flow.Done().Prove(flow.Proof{Fact: flow.FactUser, User: p.ID, At: x.Now}, proof(x, c, p.ID)), nil
}

// owner is the user whom the certificate names, nil for nobody. Values are
// compared as a whole and to the letter (rule 40).
func (s *stage) owner(ctx context.Context, c *x509.Certificate) (*identity.Person, error) {
	var value string
	switch s.config.CertAttribute {
	case Subject:
		value = certificate.Subject(c)
	case CommonName:
		value = certificate.CommonName(c)
	case Email:
		value = certificate.Email(c)
	}
	if value == "" {
		return nil, nil
	}
	return s.env.Users.Named(ctx, string(s.config.UserAttribute), value)
}
