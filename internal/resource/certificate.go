package resource

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/event"
)

// The permissions to read the two parts of a pair, which those who may see the
// pair do not have by that.
const (
	ViewCertificate access.Verb = "view_certificatekeypair_certificate"
	ViewPrivateKey  access.Verb = "view_certificatekeypair_key"
)

// CertificateModel is the model of certificates.
const CertificateModel = "authentik_crypto.certificatekeypair"

const certificatePath = "crypto/certificatekeypairs"

// certificateMembers are the read-only members of a certificate. Those that the
// data tells are null where it cannot be read.
type certificateMembers struct {
	PK             uuid.UUID            `json:"pk"`
	SHA256         *string              `json:"fingerprint_sha256" field:"null"`
	SHA1           *string              `json:"fingerprint_sha1" field:"null"`
	Expiry         *time.Time           `json:"cert_expiry" field:"null"`
	Subject        *string              `json:"cert_subject" field:"null"`
	HasKey         bool                 `json:"private_key_available"`
	KeyType        *certificate.KeyType `json:"key_type" field:"null"`
	CertificateURL string               `json:"certificate_download_url"`
	KeyURL         string               `json:"private_key_download_url"`
}

func readCertificate(_ View, o *catalog.Object) certificateMembers {
	at := "/api/v3/" + certificatePath + "/" + o.ID.String()
	m := certificateMembers{PK: o.ID, CertificateURL: at + "/view_certificate/?download=true", KeyURL: at + "/view_private_key/?download=true"}
	p := o.Doc.(*certificate.Pair)
	m.HasKey = p.KeyData != ""
	if p.Parsed == nil {
		return m
	}
	c := p.Parsed.Leaf()
	sha256, sha1, subject, expiry := certificate.SHA256(c), certificate.SHA1(c), certificate.Subject(c), c.NotAfter.UTC()
	m.SHA256, m.SHA1, m.Subject, m.Expiry = &sha256, &sha1, &subject, &expiry
	if t := certificate.KeyTypeOf(c); t != "" {
		m.KeyType = &t
	}
	return m
}

func certificateKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindCertificate, model: CertificateModel, extras: []extra{computed(readCertificate)}, search: []string{"name"}}
	keyType := filterOf(o.Fields(), "key_type")
	keyType.Many, keyType.Match = true, func(v View, o *catalog.Object, want any) bool {
		have := readCertificate(v, o).KeyType
		return have != nil && slices.ContainsFunc(want.([]any), func(one any) bool { return text(one) == string(*have) })
	}
	hasKey := Filter{Name: "has_key", Type: "boolean", Match: func(v View, o *catalog.Object, want any) bool {
		return want == readCertificate(v, o).HasKey
	}}
	o.filters = append(filtersOf(o.Fields(), "managed", "name"), hasKey, keyType)
	return o.declare(Kind{Path: certificatePath, Param: "kp_uuid", Key: "pk", Schema: "CertificateKeyPair", Tag: "crypto",
		Verbs: []access.Verb{ViewCertificate, ViewPrivateKey}})
}

// CertificateText returns one part of a pair in PEM form and records that
// somebody has seen it. which is ViewCertificate or ViewPrivateKey.
func (r *Registry) CertificateText(ctx context.Context, w *Write, ref *Ref, which access.Verb) (string, error) {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return "", err
	}
	o, ok := w.Get(id)
	if !ok || o.Kind != catalog.KindCertificate {
		return "", ErrGone
	}
	pair := o.Doc.(*certificate.Pair)
	text, part := pair.CertificateData, "certificate"
	if which == ViewPrivateKey {
		text, part = pair.KeyData, "private_key"
	}
	return text, r.event.people.events.Record(ctx, w.Store(), event.Event{Action: event.SecretView, User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand,
		Context: map[string]any{"secret": event.Model{App: "authentik_crypto", Model: "certificatekeypair", PK: ref.ID(), Name: pair.Name}, "type": part}})
}
