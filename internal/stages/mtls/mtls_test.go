package mtls_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/certificate/certificatetest"
	"github.com/weir-id/weir/internal/stages/deny"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/mtls"
	"github.com/weir-id/weir/policy"
)

// people are found as the directory finds them.
type people []*identity.Person

func (l people) Named(_ context.Context, field, value string) (*identity.Person, error) {
	for _, p := range l {
		if field == "username" && p.Username == value || field == "email" && p.Email == value {
			return p, nil
		}
	}
	return nil, nil
}

// world is a flow with the stage and one behind it, in which nothing is trusted
// but what a row says.
type world struct {
	*flowtest.World
	t                 *testing.T
	ca, other, middle *certificatetest.Pair
	ann, bob, gone    *identity.Person
	config            *mtls.Config
	designation       flow.Designation
	browser           *flowtest.Browser
	// written goes into the context before the stage.
	written map[string]any
	// seen is the context in the stage behind.
	seen map[string]any
}

func open(t *testing.T) *world {
	w := &world{t: t, ca: certificatetest.Authority(t, "authority"), other: certificatetest.Authority(t, "authority"), designation: flow.Authentication, written: map[string]any{}}
	w.middle = w.ca.Authority(t, "middle")
	person := func(id int64, name, email string, active bool) *identity.Person {
		return identity.NewPerson(identity.User{ID: id, UUID: uuid.New(), Username: name, Email: email, Active: active}, nil)
	}
	w.ann, w.bob, w.gone = person(7, "ann", "ann@example.com", true), person(8, "CN=bob,O=Example", "bob@example.com", true), person(9, "gone", "", false)
	typ := mtls.Type(mtls.Env{Users: people{w.ann, w.bob, w.gone}, Vouches: func(_ context.Context, p *identity.Person, stage uuid.UUID) (bool, error) {
		return p.Username == "trusted outpost" && stage != uuid.Nil, nil
	}})
	w.World = flowtest.New(t, typ, dummy.Type(), deny.Type())
	w.Time = time.Now()
	w.Documents = map[uuid.UUID]any{}
	for _, p := range []*identity.Person{w.ann, w.bob, w.gone} {
		w.People[p.ID] = p
	}
	w.config = &mtls.Config{Mode: mtls.Required, CertificateAuthorities: []uuid.UUID{w.trust(w.ca)}, CertAttribute: mtls.CommonName, UserAttribute: mtls.Username}
	w.browser = w.NewBrowser()
	return w
}

// trust stores an authority, with others behind it, and returns its id.
func (w *world) trust(p *certificatetest.Pair, behind ...*certificatetest.Pair) uuid.UUID {
	w.t.Helper()
	text := p.PEM()
	for _, one := range behind {
		text += one.PEM()
	}
	pair := &certificate.Pair{CertificateData: text}
	parsed, err := certificate.Parse(pair)
	if err != nil {
		w.t.Fatal(err)
	}
	pair.Parsed = parsed
	id := uuid.New()
	w.Documents[id] = pair
	return id
}

// show has the browser show certificates.
func (w *world) show(list ...*certificatetest.Pair) {
	w.browser.Certificates = nil
	for _, p := range list {
		w.browser.Certificates = append(w.browser.Certificates, p.Certificate)
	}
}

// run walks the flow and tells how it ends: "passed" or what was said.
func (w *world) run(post bool) string {
	w.t.Helper()
	f := w.AddFlow("f", func(f *flow.Flow) { f.Designation = w.designation })
	w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: w.written}}, nil
	}), nil)
	w.Bind(f, w.AddStage("mtls", "tested", w.config), nil)
	b := w.Bind(f, w.AddStage("dummy", "behind", nil), nil)
	w.BindPolicy(b.ID, policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		w.seen = maps.Clone(r.Context)
		return policy.Result{Verdict: policy.Pass}, nil
	}), nil)
	var r *flow.Result
	if post {
		r = w.browser.Answer(w.t, "f", "", map[string]any{"x": "y"})
	} else {
		r = w.browser.Get(w.t, "f", "")
	}
	if got := flowtest.Describe(r); strings.HasPrefix(got, "denied") {
		return got
	}
	if r.Challenge.Component != "ak-stage-dummy" {
		w.t.Fatalf("%s", flowtest.Describe(r))
	}
	return "passed"
}

const (
	required = "denied: A certificate is required"
	unknown  = "denied: Your certificate belongs to nobody"
	somebody = "denied: Your certificate belongs to somebody else"
)

func email(address string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = []string{address} }
}

// Section 18 of the situations.
func TestSituations(t *testing.T) {
	for _, row := range []struct {
		name           string
		change         func(*world)
		want, optional string // optional is want where it is empty
		user           int64
	}{
		{"no certificate", nil, required, "passed", 0},
		{"no authority", func(w *world) { w.config.CertificateAuthorities = nil; w.show(w.ca.Issue(t, "ann", nil)) }, required, "passed", 0},
		{"an authority that cannot be read", func(w *world) {
			w.Documents[w.config.CertificateAuthorities[0]].(*certificate.Pair).Parsed = nil
			w.show(w.ca.Issue(t, "ann", nil))
		}, required, "passed", 0},
		{"an authority that is gone", func(w *world) { clear(w.Documents); w.show(w.ca.Issue(t, "ann", nil)) }, required, "passed", 0},
		{"the certificate of ann", func(w *world) { w.show(w.ca.Issue(t, "ann", nil)) }, "passed", "", 7},
		{"of another authority of the same name", func(w *world) { w.show(w.other.Issue(t, "ann", nil)) }, required, "passed", 0},
		{"the first authority that fits", func(w *world) {
			w.config.CertificateAuthorities = append(w.config.CertificateAuthorities, w.trust(w.other))
			w.show(w.other.Issue(t, "ann", nil))
		}, "passed", "", 7},
		{"the brand's authorities", func(w *world) {
			w.config.CertificateAuthorities, w.Brand.ClientCertificates = nil, []uuid.UUID{w.trust(w.other)}
			w.show(w.other.Issue(t, "ann", nil))
		}, "passed", "", 7},
		{"the brand's authorities, where the stage has its own", func(w *world) {
			w.Brand.ClientCertificates = []uuid.UUID{w.trust(w.other)}
			w.show(w.other.Issue(t, "ann", nil))
		}, required, "passed", 0},
		{"one below another authority, with the chain", func(w *world) { w.show(w.middle.Issue(t, "ann", nil), w.middle) }, "passed", "", 7},
		{"one below another authority, without", func(w *world) { w.show(w.middle.Issue(t, "ann", nil)) }, required, "passed", 0},
		{"the chain behind the authority", func(w *world) {
			w.config.CertificateAuthorities = []uuid.UUID{w.trust(w.ca, w.middle)}
			w.show(w.middle.Issue(t, "ann", nil))
		}, "passed", "", 7},
		{"the lower authority alone is trusted", func(w *world) {
			w.config.CertificateAuthorities = []uuid.UUID{w.trust(w.middle, w.ca)}
			w.show(w.middle.Issue(t, "ann", nil))
		}, "passed", "", 7},
		{"what stands behind an authority is not trusted", func(w *world) {
			w.config.CertificateAuthorities = []uuid.UUID{w.trust(w.middle, w.ca)}
			w.show(w.ca.Issue(t, "ann", nil))
		}, required, "passed", 0},
		{"the certificate itself is trusted", func(w *world) {
			own := w.other.Issue(t, "ann", nil)
			w.config.CertificateAuthorities = []uuid.UUID{w.trust(own)}
			w.show(own)
		}, "passed", "", 7},
		{"somebody else's certificate behind an own one", func(w *world) {
			w.show(w.other.Issue(t, "mallory", nil), w.ca.Issue(t, "ann", nil))
		}, required, "passed", 0},
		{"signed by a certificate that is no authority", func(w *world) {
			mallory := w.ca.Issue(t, "mallory", nil)
			w.show(mallory.Issue(t, "ann", nil), mallory)
		}, required, "passed", 0},
		{"an authority below one that allows none", func(w *world) {
			last := w.ca.Issue(t, "last", func(c *x509.Certificate) {
				c.IsCA, c.KeyUsage, c.MaxPathLenZero, c.ExtKeyUsage = true, x509.KeyUsageCertSign, true, nil
			})
			below := last.Authority(t, "below")
			w.show(below.Issue(t, "ann", nil), below, last)
		}, required, "passed", 0},
		{"a certificate of a server", func(w *world) {
			w.show(w.ca.Issue(t, "ann", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))
		}, required, "passed", 0},
		{"a certificate for everything", func(w *world) {
			w.show(w.ca.Issue(t, "ann", func(c *x509.Certificate) { c.ExtKeyUsage = nil }))
		}, "passed", "", 7},
		{"one that has ended", func(w *world) {
			w.show(w.ca.Issue(t, "ann", func(c *x509.Certificate) { c.NotAfter = w.Time.Add(-time.Minute) }))
		}, required, "passed", 0},
		{"one that has not begun", func(w *world) {
			w.show(w.ca.Issue(t, "ann", func(c *x509.Certificate) { c.NotBefore = w.Time.Add(time.Minute) }))
		}, required, "passed", 0},
		{"an authority that has ended", func(w *world) { w.Time = w.Time.Add(2 * time.Hour); w.show(w.ca.Issue(t, "ann", nil)) }, required, "passed", 0},
		{"a demand that nobody understands", func(w *world) {
			w.show(w.ca.Issue(t, "ann", func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
			}))
		}, required, "passed", 0},
		{"of nobody", func(w *world) { w.show(w.ca.Issue(t, "eve", nil)) }, unknown, "", 0},
		{"of somebody who is switched off (rule 24)", func(w *world) { w.show(w.ca.Issue(t, "gone", nil)) }, unknown, "", 0},
		{"the address names the user", func(w *world) {
			w.config.CertAttribute, w.config.UserAttribute = mtls.Email, mtls.UserEmail
			w.show(w.ca.Issue(t, "x", email("bob@example.com")))
		}, "passed", "", 8},
		{"the whole subject names the user", func(w *world) {
			w.config.CertAttribute = mtls.Subject
			w.show(w.ca.Issue(t, "", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "bob", Organization: []string{"Example"}} }))
		}, "passed", "", 8},
		{"a common name that looks like a subject", func(w *world) {
			w.config.CertAttribute = mtls.Subject
			w.show(w.ca.Issue(t, "bob,O=Example", nil))
		}, unknown, "", 0},
		{"no address", func(w *world) { w.config.CertAttribute = mtls.Email; w.show(w.ca.Issue(t, "ann", nil)) }, unknown, "", 0},
		{"ann was named before", func(w *world) { w.written["pending_user"] = w.ann; w.show(w.ca.Issue(t, "ann", nil)) }, "passed", "", 7},
		{"somebody else was named before", func(w *world) { w.written["pending_user"] = w.bob; w.show(w.ca.Issue(t, "ann", nil)) }, somebody, "", 0},
		{"an outpost", func(w *world) {
			w.browser.Outpost = identity.NewPerson(identity.User{ID: 20, Username: "outpost", Active: true}, nil)
			w.show(w.ca.Issue(t, "ann", nil))
		}, required, "passed", 0},
		{"an outpost that may tell certificates", func(w *world) {
			w.browser.Outpost = identity.NewPerson(identity.User{ID: 20, Username: "trusted outpost", Active: true}, nil)
			w.show(w.ca.Issue(t, "ann", nil))
		}, "passed", "", 7},
	} {
		for _, mode := range []mtls.Mode{mtls.Required, mtls.Optional} {
			for _, post := range []bool{false, true} {
				t.Run(row.name+", "+string(mode)+map[bool]string{true: ", by an answer"}[post], func(t *testing.T) {
					w := open(t)
					w.config.Mode = mode
					if row.change != nil {
						row.change(w)
					}
					want := row.want
					if mode == mtls.Optional && row.optional != "" {
						want = row.optional
					}
					got := w.run(post)
					if !strings.HasPrefix(got, want) {
						t.Fatalf("%s, want %s", got, want)
					}
					var proofs []flow.Proof
					if e := w.browser.Request("f", "").Execution; e != nil {
						proofs = e.Plan.Proofs
					}
					checkIdentified(t, w, proofs, row.user)
				})
			}
		}
	}
}

// checkIdentified holds the context and the proofs against who should have been
// identified; 0 for nobody.
func checkIdentified(t *testing.T, w *world, proofs []flow.Proof, user int64) {
	t.Helper()
	named := slices.IndexFunc(proofs, func(p flow.Proof) bool { return p.Fact == flow.FactCertificate })
	if user == 0 {
		if named >= 0 || w.seen["auth_method"] != nil {
			t.Errorf("proved %+v, context %v", proofs, w.seen)
		}
		return
	}
	shown := w.browser.Certificates[0]
	if p, _ := w.seen["pending_user"].(*identity.Person); p == nil || p.ID != user || w.seen["auth_method"] != "mtls" {
		t.Errorf("context %v", w.seen)
	}
	args, _ := w.seen["auth_method_args"].(map[string]any)
	described, _ := args["certificate"].(map[string]any)
	for name, want := range certificate.Describe(shown) {
		if described[name] != want {
			t.Errorf("%s is %v, want %v", name, described[name], want)
		}
	}
	if named < 0 || proofs[named].User != user || proofs[named].Authenticator != "certificate/"+certificate.SHA256(shown) {
		t.Errorf("proved %+v", proofs)
	}
}

// Whoever is switched off is refused like somebody unknown, also where a
// certificate is optional, and whichever attribute names them.
func TestRule24OwnersWhoAreSwitchedOff(t *testing.T) {
	for _, mode := range []mtls.Mode{mtls.Required, mtls.Optional} {
		w := open(t)
		w.config.Mode = mode
		w.show(w.ca.Issue(t, "nobody", nil))
		stranger := w.run(false)
		w = open(t)
		w.config.Mode = mode
		w.show(w.ca.Issue(t, "gone", nil))
		if got := w.run(false); got != stranger || !strings.HasPrefix(got, unknown) {
			t.Errorf("%s: %s, and a stranger gets %s", mode, got, stranger)
		}
		if e := w.browser.Request("f", "").Execution; e != nil && len(e.Plan.Proofs) > 0 {
			t.Errorf("%s: proved %v", mode, e.Plan.Proofs)
		}
	}
}

func TestEnrolment(t *testing.T) {
	w := open(t)
	w.designation = flow.Enrollment
	w.written["prompt_data"] = map[string]any{"email": "typed@example.com", "other": "kept"}
	own := w.ca.Issue(t, "Eve Example", email("eve@example.com"))
	w.show(own)
	if got := w.run(false); got != "passed" {
		t.Fatal(got)
	}
	data, _ := w.seen["prompt_data"].(map[string]any)
	kept, _ := w.seen["certificate"].(map[string]any)
	if data["email"] != "eve@example.com" || data["name"] != "Eve Example" || data["other"] != "kept" || kept["raw"] != own.PEM() || kept["subject"] != "CN=Eve Example" {
		t.Errorf("%v\n%v", data, kept)
	}
	if w.seen["auth_method"] != nil || w.browser.Request("f", "").Execution.Plan.Has(flow.FactUser, 0) {
		t.Errorf("somebody is identified: %v", w.seen)
	}
}

func TestAnEarlierMethodStays(t *testing.T) {
	w := open(t)
	w.written["auth_method"], w.written["auth_method_args"] = "password", map[string]any{"known_device": true}
	w.show(w.ca.Issue(t, "ann", nil))
	if got := w.run(false); got != "passed" {
		t.Fatal(got)
	}
	args, _ := w.seen["auth_method_args"].(map[string]any)
	if w.seen["auth_method"] != "password" || args["known_device"] != true || args["certificate"] == nil {
		t.Errorf("%v", w.seen)
	}
}

// A request that no server took, such as that of a simulation, has no certificates.
func TestNoRequest(t *testing.T) {
	w := open(t)
	f := w.AddFlow("f", nil)
	w.Bind(f, w.AddStage("mtls", "tested", w.config), nil)
	r := w.browser.Request("f", "")
	r.HTTP.Certificates = nil
	got, err := w.browser.Do(t.Context(), r)
	if err != nil || !strings.HasPrefix(flowtest.Describe(got), required) {
		t.Errorf("%v %v", got, err)
	}
}
