package outbound

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/big":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100))
		case strings.HasPrefix(r.URL.Path, "/round"):
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}
	}))
	defer plain.Close()
	safe := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer safe.Close()
	roots := x509.NewCertPool()
	roots.AddCert(safe.Certificate())
	c := Client(roots)

	r, err := c.Get(plain.URL + "/big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Body(r, 99); !errors.Is(err, ErrTooLarge) {
		t.Errorf("100 bytes within 99: %v", err)
	}
	if r, err = c.Get(plain.URL + "/big"); err != nil {
		t.Fatal(err)
	}
	if got, err := Body(r, 100); err != nil || len(got) != 100 {
		t.Errorf("100 bytes within 100: %d, %v", len(got), err)
	}
	if _, err := c.Get(safe.URL); !errors.Is(err, errDowngrade) {
		t.Errorf("redirect to http: %v", err)
	}
	if _, err := c.Get(plain.URL + "/round"); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("endless redirects: %v", err)
	}
	if _, err := Client(nil).Get(safe.URL); err == nil {
		t.Error("a certificate of an unknown authority was trusted")
	}
}
