package captcha

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/outbound"
)

const (
	// patience is how long a provider may take: somebody is waiting.
	patience = 10 * time.Second
	// maxVerdict bounds what a provider answers, in bytes.
	maxVerdict = 64 << 10
)

// retriable are the error codes of siteverify after which another try may help:
// the person, not the configuration, was at fault.
var retriable = []string{"missing-input-response", "invalid-input-response", "timeout-or-duplicate", "expired-input-response", "already-seen-response"}

// siteverify is the part of a provider's answer that decides.
type siteverify struct {
	Success bool     `json:"success"`
	Score   *float64 `json:"score"`
	Codes   []string `json:"error-codes"`
}

// askProvider has a token verified. It returns all that the provider said, for
// policies, and the problem.
func (s *stage) askProvider(ctx context.Context, secret, token string, from netip.Addr) (map[string]any, *field.Error) {
	if token == "" || len(token) > maxToken {
		return nil, again
	}
	data, err := s.verify(ctx, secret, token, from)
	var said siteverify
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(data, &said)
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err == nil && all == nil {
		err = fmt.Errorf("the answer is null")
	}
	if err != nil {
		s.env.Log.WarnContext(ctx, "captcha provider gave no verdict", "provider", s.config.APIURL, "error", err)
		return nil, away
	}
	if !s.config.ErrorOnInvalidScore {
		return all, nil
	}
	if !said.Success {
		if len(said.Codes) > 0 && !slices.ContainsFunc(said.Codes, func(code string) bool { return !slices.Contains(retriable, code) }) {
			return nil, again
		}
		return nil, no
	}
	if score := said.Score; score != nil && (s.config.ScoreMin > -1 && *score < s.config.ScoreMin || s.config.ScoreMax > -1 && *score > s.config.ScoreMax) {
		return nil, no
	}
	return all, nil
}

// verify asks the provider. The secret goes to nobody else, so no redirect is
// followed.
func (s *stage) verify(ctx context.Context, secret, token string, from netip.Addr) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	values := map[string]string{"secret": secret, "response": token}
	if from.IsValid() {
		values["remoteip"] = from.String()
	}
	var body []byte
	if s.config.RequestContentType == JSON {
		body, _ = json.Marshal(values) // texts can always be encoded
	} else {
		form := url.Values{}
		for name, value := range values {
			form.Set(name, value)
		}
		body = []byte(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.APIURL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", string(s.config.RequestContentType))
	r.Header.Set("Accept", "application/json")
	client := *s.env.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	data, err := outbound.Body(res, maxVerdict)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return data, err
}

// widgets are the providers whose pages load more than their script, by the host
// of that, as their documentation says.
var widgets = map[string]flow.Elsewhere{
	"www.google.com":            recaptcha,
	"www.recaptcha.net":         recaptcha,
	"js.hcaptcha.com":           hcaptcha,
	"hcaptcha.com":              hcaptcha,
	"challenges.cloudflare.com": {Scripts: []string{"https://challenges.cloudflare.com"}, Frames: []string{"https://challenges.cloudflare.com"}},
}

var (
	recaptcha = flow.Elsewhere{Scripts: []string{"https://www.google.com", "https://www.recaptcha.net", "https://www.gstatic.com"},
		Frames:   []string{"https://www.google.com", "https://www.recaptcha.net", "https://recaptcha.google.com"},
		Connects: []string{"https://www.google.com", "https://www.recaptcha.net"}}
	hcaptcha = flow.Elsewhere{Scripts: []string{"https://hcaptcha.com", "https://*.hcaptcha.com"}, Styles: []string{"https://hcaptcha.com", "https://*.hcaptcha.com"},
		Frames: []string{"https://hcaptcha.com", "https://*.hcaptcha.com"}, Connects: []string{"https://hcaptcha.com", "https://*.hcaptcha.com"}}
)

// Elsewhere implements flow.Loader: a provider that we do not know may use the
// origin of its script for all it needs.
func (c *Challenge) Elsewhere() flow.Elsewhere {
	u, err := url.Parse(c.JSURL)
	if err != nil || u.Host == "" {
		return flow.Elsewhere{}
	}
	if known, ok := widgets[u.Hostname()]; ok && u.Scheme == "https" {
		return known
	}
	own := []string{u.Scheme + "://" + u.Host}
	return flow.Elsewhere{Scripts: own, Styles: own, Frames: own, Connects: own}
}
