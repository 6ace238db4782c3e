// Package mailtest is a mail server for tests: a real one, on a port of its own,
// with a certificate of an authority of its own.
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Config says what a server demands.
type Config struct {
	// StartTLS offers TLS, Implicit begins with it.
	StartTLS, Implicit bool
	// User and Password are demanded where they are set.
	User, Password string
	// Mechanisms are those of AUTH; PLAIN when nil.
	Mechanisms []string
}

// Mail is a message that the server has got.
type Mail struct {
	// From and To are those of the envelope.
	From string
	To   []string
	*mail.Message
	Body []byte
}

var link = regexp.MustCompile(`https?://[^\s"<>]*/if/flow/[^\s"<>]*`)

// Link is the link of the message that leads into a flow.
func (m Mail) Link(t testing.TB) *url.URL {
	t.Helper()
	plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(m.Body)))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link.FindString(string(plain)))
	if err != nil || u.Host == "" {
		t.Fatalf("no link in the mail, %v:\n%s", err, plain)
	}
	return u
}

// Server keeps the messages that it gets.
type Server struct {
	// Addr is host:port.
	Addr string
	// Roots hold the authority of its certificate.
	Roots *x509.CertPool

	config Config
	mu     sync.Mutex
	mails  []Mail
	auths  int
	rcpt   func(to string) error
	data   func(n int, c net.Conn) error
	cut    bool
}

// New starts a server that ends with the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	s := &Server{config: c}
	certificate, err := s.certificate()
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	server.Domain = "mail.example.org"
	server.AllowInsecureAuth = true // whether to trust that is up to the client
	server.ErrorLog = nothing{}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}}
	if c.StartTLS {
		server.TLSConfig = settings
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	if c.Implicit {
		l = tls.NewListener(l, settings)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close mail server: %v", err)
		}
		<-done
	})
	return s
}

type nothing struct{}

func (nothing) Printf(string, ...any) {}
func (nothing) Println(...any)        {}

// OnRecipient answers RCPT with an error where f returns one.
func (s *Server) OnRecipient(f func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcpt = f
}

// OnData is called with the number of each message, from 1, once the server has
// kept it, and before it says so. It may return an error, and close the connection.
func (s *Server) OnData(f func(n int, c net.Conn) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = f
}

// CutAfterwards ends connections as soon as the server has said that it has a
// message.
func (s *Server) CutAfterwards() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
}

// Mails returns the messages that have come in.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Auths is how often somebody tried to sign in.
func (s *Server) Auths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auths
}

// Wait returns the messages once there are so many.
func (s *Server) Wait(t testing.TB, n int) []Mail {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		mails := s.Mails()
		if len(mails) >= n {
			return mails
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d mails came within a minute, want %d", len(mails), n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// session is one connection.
type session struct {
	s        *Server
	conn     *smtp.Conn
	from     string
	to       []string
	signedIn bool
}

func (x *session) AuthMechanisms() []string {
	switch {
	case x.s.config.User == "":
		return nil
	case x.s.config.Mechanisms != nil:
		return x.s.config.Mechanisms
	}
	return []string{sasl.Plain}
}

func (x *session) Auth(mechanism string) (sasl.Server, error) {
	x.s.mu.Lock()
	x.s.auths++
	x.s.mu.Unlock()
	check := func(user, password string) error {
		if user != x.s.config.User || password != x.s.config.Password {
			return errors.New("wrong user or password")
		}
		x.signedIn = true
		return nil
	}
	if mechanism == sasl.Login {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// login is the mechanism LOGIN, which asks twice.
type login struct {
	check func(user, password string) error
	asked int
	user  string
}

func (l *login) Next(response []byte) ([]byte, bool, error) {
	switch l.asked++; {
	case l.asked == 1 && response == nil:
		return []byte("Username:"), false, nil
	case l.user == "":
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if x.s.config.User != "" && !x.signedIn {
		return smtp.ErrAuthRequired
	}
	x.from, x.to = from, nil
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.s.mu.Lock()
	refuse := x.s.rcpt
	x.s.mu.Unlock()
	if refuse != nil {
		if err := refuse(to); err != nil {
			return err
		}
	}
	x.to = append(x.to, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	x.s.mails = append(x.s.mails, Mail{From: x.from, To: x.to, Message: m, Body: body})
	n, then := len(x.s.mails), x.s.data
	x.s.mu.Unlock()
	if then != nil {
		return then(n, x.conn.Conn())
	}
	return nil
}

// Reset is called once a message was answered.
func (x *session) Reset() {
	x.s.mu.Lock()
	cut := x.s.cut && len(x.s.mails) > 0
	x.s.mu.Unlock()
	if cut {
		_ = x.conn.Conn().Close()
	}
}

func (x *session) Logout() error { return nil }

// certificate makes an authority and a certificate of it for this machine.
func (s *Server) certificate() (tls.Certificate, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if ca, err = x509.ParseCertificate(raw); err != nil {
		return tls.Certificate{}, err
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(ca)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if raw, err = x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}
