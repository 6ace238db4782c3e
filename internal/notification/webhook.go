package notification

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/outbound"
)

// The headers that receivers check; docs/notifications.md tells how.
const (
	// deliveryHeader is the same in all attempts to deliver a notification.
	deliveryHeader  = "Weir-Delivery"
	signatureHeader = "Weir-Signature"
)

// maxPayload bounds what a mapping makes, in bytes.
const maxPayload = 256 << 10

// longestPause is the longest that a receiver can ask for.
const longestPause = time.Hour

var errDetour = errors.New("the receiver redirects elsewhere")

// noDetours is the client, which follows a redirect only where it leads to the
// same server and repeats the message: what it carries is for nobody else.
func noDetours(c *http.Client) *http.Client {
	if c == nil {
		c = outbound.Client(nil)
	}
	own := *c
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		first := via[0]
		if r.Method != first.Method || r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host || len(via) > outbound.MaxRedirects {
			return errDetour
		}
		return nil
	}
	return &own
}

// post sends a notification to the server of a transport.
func (e *Engine) post(ctx context.Context, s Source, t *rule.Transport, n *Notification) error {
	headers, err := e.headers(ctx, s, t, n)
	if err != nil {
		return err
	}
	body, err := e.body(ctx, s, t, n)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return permanent("the address of the webhook is not valid")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Weir/"+e.Version)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set(deliveryHeader, n.ID.String())
	r.Header.Del(signatureHeader) // ours or none
	if t.WebhookSigningSecret != "" {
		r.Header.Set(signatureHeader, sign(t.WebhookSigningSecret, e.Now(), n.ID.String(), body))
	}
	res, err := e.client.Do(r)
	if err != nil {
		return unsent(err)
	}
	// The status says all. The body is not waited for, however long it is.
	_ = res.Body.Close()
	return judge(res, e.Now())
}

// sign is the header that tells the receiver who has sent a body, and when.
func sign(secret string, at time.Time, delivery string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac.Write([]byte(seconds + "." + delivery + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// unsent is the error of a call without an answer. That of the client holds the
// address, which may hold a key.
func unsent(err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	if errors.Is(err, errDetour) {
		return &permanentError{errDetour}
	}
	// Nor do the addresses of name servers and connections concern anybody.
	var name *net.DNSError
	var operation *net.OpError
	switch {
	case errors.As(err, &name):
		err = errors.New(name.Err)
	case errors.As(err, &operation):
		err = operation.Err
	}
	return fmt.Errorf("the receiver cannot be reached: %w", err)
}

// judge makes an error of an answer that is not success. Only those are tried
// again that say that it is not the message's fault.
func judge(res *http.Response, now time.Time) error {
	err := fmt.Errorf("the receiver answered %d", res.StatusCode)
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		if after := pause(res.Header.Get("Retry-After"), now); after > 0 {
			return &laterError{err, after}
		}
		return err
	}
	return &permanentError{err}
}

// pause reads Retry-After (RFC 9110 section 10.2.3); 0 for none.
func pause(header string, now time.Time) time.Duration {
	if header = strings.TrimSpace(header); header == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestPause)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), longestPause))
}

// message is what webhooks get where no mapping says otherwise.
type message struct {
	Body              string  `json:"body"`
	Severity          string  `json:"severity"`
	UserEmail         string  `json:"user_email"`
	UserUsername      string  `json:"user_username"`
	EventUserEmail    *string `json:"event_user_email,omitempty"`
	EventUserUsername *string `json:"event_user_username,omitempty"`
}

// body is what is posted.
func (e *Engine) body(ctx context.Context, s Source, t *rule.Transport, n *Notification) ([]byte, error) {
	var v any = usual(t.Mode, n, e.Version)
	if t.Mode == rule.Webhook && t.WebhookMappingBody != nil {
		made, err := e.mapped(ctx, s, *t.WebhookMappingBody, n)
		if err != nil {
			return nil, err
		}
		if made != nil {
			v = made
		}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, permanent("the message cannot be written as JSON: %w", err)
	}
	if len(body) > maxPayload {
		return nil, permanent("the message has %d bytes, more than %d", len(body), maxPayload)
	}
	return body, nil
}

func usual(mode rule.Mode, n *Notification, version string) any {
	if mode == rule.Slack {
		return slackMessage(n, version)
	}
	m := message{Body: n.Body, Severity: string(n.Severity), UserEmail: n.User.Email, UserUsername: n.User.Username}
	if username, email := n.eventUser(); cmp.Or(username, email) != "" {
		m.EventUserUsername, m.EventUserEmail = &username, &email
	}
	return m
}

// headers are those that a mapping makes.
func (e *Engine) headers(ctx context.Context, s Source, t *rule.Transport, n *Notification) (map[string]string, error) {
	if t.Mode != rule.Webhook || t.WebhookMappingHeaders == nil {
		return nil, nil
	}
	made, err := e.mapped(ctx, s, *t.WebhookMappingHeaders, n)
	if err != nil || made == nil {
		return nil, err
	}
	dict, ok := made.(map[string]any)
	if !ok {
		return nil, permanent("the mapping of the headers has to return a dict")
	}
	out := map[string]string{}
	for name, v := range dict {
		text, ok := headerText(v)
		if !ok || !isToken(name) || !oneLine(text) {
			// Neither name nor value is repeated: they may hold a key.
			return nil, permanent("the mapping of the headers has made a header that cannot be sent")
		}
		out[name] = text
	}
	return out, nil
}

// headerText is a value that may stand in a header.
func headerText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, int64, float64, json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}

// isToken tells whether s is a name of a header (RFC 9110 section 5.6.2) that is
// not the connection's own.
func isToken(s string) bool {
	switch http.CanonicalHeaderKey(s) {
	case "", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer":
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// oneLine tells whether s can be the value of a header.
func oneLine(s string) bool {
	return len(s) <= 8<<10 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
