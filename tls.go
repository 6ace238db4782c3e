package weir

import (
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/server"
	"github.com/weir-id/weir/internal/stages/mtls"
)

// openTLS reads the certificate of the settings; there may be none.
func (s *Server) openTLS() (err error) {
	if s.config.TLS.Certificate == "" {
		return nil
	}
	s.keyFiles, err = server.OpenKeyFiles(s.config.TLS.Certificate, s.config.TLS.Key, s.log.With("component", "tls"), s.now)
	return err
}

// TLS says how to serve the site over TLS; nil where the settings name no
// certificate. Clients are asked for a certificate of their own where a mutual
// TLS stage may want it, and only its stage verifies it: others sign in as ever.
func (s *Server) TLS() *tls.Config {
	if s.keyFiles == nil {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: s.webCertificate}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		authorities := s.clientAuthorities(strings.ToLower(hello.ServerName))
		if authorities == nil {
			return nil, nil // as it is
		}
		asking := c.Clone()
		asking.ClientAuth, asking.ClientCAs = tls.RequestClientCert, authorities
		return asking, nil
	}
	return c
}

// webCertificate is that of the brand of the host, else that of the files.
func (s *Server) webCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	snapshot := s.catalog.Snapshot()
	if id := snapshot.BrandFor(strings.ToLower(hello.ServerName)).WebCertificate; id != nil {
		if own, ok := authority(snapshot, *id).TLS(); ok {
			return own, nil
		}
	}
	return s.keyFiles.Certificate(), nil
}

// clientAuthorities are those that mutual TLS stages trust, which browsers pick a
// certificate by; nil where no stage asks for one.
func (s *Server) clientAuthorities(host string) *x509.CertPool {
	snapshot := s.catalog.Snapshot()
	stages, err := snapshot.FindAll(catalog.KindStage, "mtls", nil)
	if err != nil || len(stages) == 0 {
		return nil
	}
	pool := x509.NewCertPool()
	for _, o := range stages {
		c, ok := o.Doc.(*flow.StageObject).Config.(*mtls.Config)
		if !ok {
			continue
		}
		ids := c.CertificateAuthorities
		if len(ids) == 0 {
			ids = snapshot.BrandFor(host).ClientCertificates
		}
		for _, id := range ids {
			if a := authority(snapshot, id); a != nil {
				pool.AddCert(a.Leaf())
			}
		}
	}
	return pool
}

// authority is a certificate of the configuration, nil for one that cannot be
// read.
func authority(snapshot *catalog.Snapshot, id uuid.UUID) *certificate.Parsed {
	doc, _ := snapshot.Document(id)
	pair, ok := doc.(*certificate.Pair)
	if !ok {
		return nil
	}
	return pair.Parsed
}
