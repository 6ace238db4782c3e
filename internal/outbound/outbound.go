// Package outbound is the way out: the HTTP client of everything in Weir that
// asks another server something. Nobody waits for a silent server longer than
// the limits below, and no answer is read without a bound.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Limits of every call; a context may end it sooner.
const (
	// Timeout bounds a call with its redirects and its answer.
	Timeout = 30 * time.Second
	// MaxRedirects is how many redirects are followed.
	MaxRedirects = 3
	// MaxBody bounds the answers that Body reads, in bytes.
	MaxBody = 1 << 20
)

// ErrTooLarge is returned for answers over the limit.
var ErrTooLarge = errors.New("the answer is too large")

// ErrRedirects is returned for more redirects than MaxRedirects.
var ErrRedirects = errors.New("too many redirects")

// errDowngrade keeps what was sent encrypted from being sent again in the clear.
var errDowngrade = errors.New("redirect from https to http")

// Client returns a new HTTP client. It uses the proxies of the environment and
// trusts the certificates of the system, or only those of roots where that is
// not nil.
func Client(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > MaxRedirects {
				return ErrRedirects
			}
			if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errDowngrade
			}
			return nil
		},
	}
}

// Body reads an answer of at most limit bytes (MaxBody when 0) and closes it.
func Body(r *http.Response, limit int64) ([]byte, error) {
	defer r.Body.Close()
	if limit <= 0 {
		limit = MaxBody
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, ErrTooLarge
	}
	return data, nil
}
