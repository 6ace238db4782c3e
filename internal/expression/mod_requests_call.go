package expression

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/internal/outbound"
)

// maxSent bounds what a call sends, in bytes; outbound.MaxBody bounds answers.
const maxSent = 1 << 20

// callHTTP carries out a call of requests.
func (e *evaluation) callHTTP(s *httpSession, method string, c call) (starlark.Value, error) {
	o := outgoing{method: method}
	if err := o.take(c); err != nil {
		return nil, err
	}
	if e.env.HTTP == nil {
		return nil, raise(excPermission, "requests.%s: expressions may not call other servers; an administrator has to list the hosts in the setting expression_hosts", c.name)
	}
	if !slices.Contains(methodsOfRequests, method) {
		return nil, raise(excValue, "requests: the method %s cannot be used", repr(starlark.String(method)))
	}
	r, err := e.newRequest(s, &o)
	if err != nil {
		return nil, err
	}
	limit, err := o.limit(e)
	if err != nil {
		return nil, err
	}
	if e.counted().requests.Add(1) > maxRequests {
		return nil, e.limit("too many calls of requests")
	}
	ctx, cancel := context.WithTimeout(e.ctx, limit)
	defer cancel()
	client := *e.env.HTTP
	if o.follow == starlark.False || o.follow == starlark.None && method == http.MethodHead {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	begin := time.Now()
	resp, err := client.Do(r.WithContext(ctx))
	var body []byte
	if err == nil {
		body, err = outbound.Body(resp, 0)
	}
	e.logCall(r, resp, errors.Is(err, outbound.ErrNotAllowed), time.Since(begin))
	if stop := e.stopped(); stop != nil {
		return nil, stop
	}
	if err != nil {
		return nil, requestError(r.URL, err)
	}
	return newResponse(resp, body), e.text(len(body))
}

// newRequest makes the request of a call.
func (e *evaluation) newRequest(s *httpSession, o *outgoing) (*http.Request, error) {
	u, err := o.address(e)
	if err != nil {
		return nil, err
	}
	body, contentType, err := o.body(e)
	if err != nil {
		return nil, err
	}
	if len(body) > maxSent {
		return nil, raise(excRequest, "requests: at most %d bytes can be sent", maxSent)
	}
	r, err := http.NewRequest(o.method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, raise(excInvalidURL, "not an URL")
	}
	r.Header.Set("User-Agent", "weir")
	r.Header.Set("Accept", "*/*")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	auth := o.auth
	if s != nil {
		if err := e.header(r.Header, s.headers); err != nil {
			return nil, err
		}
		if auth == starlark.None {
			auth = s.auth
		}
	}
	if err := e.header(r.Header, o.headers); err != nil {
		return nil, err
	}
	if auth != starlark.None {
		user, password, err := e.login(auth)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(user, password)
	}
	return r, nil
}

// logCall says that a call was made or refused. Paths, headers and bodies hold
// keys and data of people, so they are not in it.
func (e *evaluation) logCall(r *http.Request, resp *http.Response, refused bool, took time.Duration) {
	if e.env.Logger == nil {
		return
	}
	level, text, status := slog.LevelInfo, "expression called a server", 0
	if refused {
		level, text = slog.LevelWarn, "expression may not call a server"
	}
	if resp != nil {
		status = resp.StatusCode
	}
	e.env.Logger.LogAttrs(context.WithoutCancel(e.ctx), level, text, slog.String("expression", e.name),
		slog.String("method", r.Method), slog.String("host", r.URL.Host), slog.Int("status", status), slog.Duration("took", took))
}

// requestError makes the exception of a call that has no answer. Its text names
// the host only, since an address can hold keys.
func requestError(u *url.URL, err error) error {
	var outer *url.Error
	timeout := errors.Is(err, context.DeadlineExceeded)
	if errors.As(err, &outer) {
		timeout = timeout || outer.Timeout()
		err = outer.Err
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, outbound.ErrNotAllowed):
		return raise(excPermission, "requests: %s (setting expression_hosts)", err)
	case timeout:
		return raise(excRequestTimeout, "%s did not answer in time", u.Host)
	case errors.Is(err, outbound.ErrTooLarge):
		return raise(excContent, "the answer of %s has more than %d bytes", u.Host, outbound.MaxBody)
	case errors.Is(err, outbound.ErrRedirects):
		return raise(excRedirects, "%s redirects more than %d times", u.Host, outbound.MaxRedirects)
	case errors.As(err, &certificate):
		return raise(excRequestTLS, "%s: %s", u.Host, err)
	}
	return raise(excRequestConnect, "%s: %s", u.Host, err)
}
