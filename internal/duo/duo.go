// Package duo speaks to Duo: the Auth API, which enrols people and sends pushes, and
// of the Admin API the list of users.
//
// It is a client of our own, since the official library takes no context, reads
// answers of any length and sleeps for a minute by itself when Duo says that it has
// been asked too often; see docs/adr/0007-libraries-of-second-factors.md. It knows
// neither flows nor tables.
package duo

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/outbound"
)

const (
	// Patience is how long Duo may take for an answer that no person gives.
	Patience = 10 * time.Second
	// Wait is how long a push waits for a person. Duo gives up after 60 s.
	Wait = 65 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes: a page of users is the
	// longest.
	maxAnswer = 4 << 20
)

// HTTP returns the HTTP client for calls of Duo: within the limits of package
// outbound, but for the time, which depends on the call. It follows no redirect.
func HTTP() *http.Client {
	c := outbound.Client(nil)
	c.Timeout = 0
	c.Transport.(*http.Transport).ResponseHeaderTimeout = 0
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// host is a name, and a port where it is not that of https.
var host = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?$`)

// ValidHost tells whether a text is a host that can be called.
func ValidHost(name string) bool {
	if len(name) > 253 || !host.MatchString(name) {
		return false
	}
	_, port, err := net.SplitHostPort(name)
	if err != nil {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Client calls one application of a Duo account.
type Client struct {
	HTTP *http.Client
	// Host is the API hostname, such as "api-12345678.duosecurity.com".
	Host string
	// Key is the integration key of the application, Secret its secret key.
	Key, Secret string
	Now         func() time.Time
}

// Error is what Duo says about a call that it refuses.
type Error struct {
	Code            int
	Message, Detail string
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("duo refuses with code %d: %s", e.Code, printable(e.Message))
	if e.Detail != "" {
		text += " (" + printable(e.Detail) + ")"
	}
	return text
}

// maxText bounds what is told of what somebody else has written, in characters.
const maxText = 200

// printable is a text of Duo on one line.
func printable(text string) string {
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " "))
	return string(runes[:min(len(runes), maxText)])
}

// call asks Duo, and reads the response into the value, and what belongs to a list
// into meta where that is not nil.
func (c *Client) call(ctx context.Context, method, path string, params url.Values, into, meta any) error {
	r, err := c.request(ctx, method, path, params)
	if err != nil {
		return err
	}
	res, err := c.HTTP.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("duo has not answered in time: %w", ctx.Err())
		}
		// The address of a GET holds what was asked for.
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		return fmt.Errorf("duo cannot be reached: %w", err)
	}
	body, err := outbound.Body(res, maxAnswer)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("read the answer of Duo: %w", err)
	}
	var answer struct {
		Stat     string          `json:"stat"`
		Code     int             `json:"code"`
		Message  string          `json:"message"`
		Detail   string          `json:"message_detail"`
		Response json.RawMessage `json:"response"`
		Meta     json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("duo answers %d with what is no JSON", res.StatusCode)
	}
	if answer.Stat != "OK" || res.StatusCode != http.StatusOK {
		return &Error{answer.Code, answer.Message, answer.Detail}
	}
	if err := json.Unmarshal(answer.Response, into); err != nil {
		return errors.New("duo answers in another shape than its documentation has")
	}
	if meta != nil && answer.Meta != nil {
		if err := json.Unmarshal(answer.Meta, meta); err != nil {
			return errors.New("duo answers in another shape than its documentation has")
		}
	}
	return nil
}

// request makes a signed request (Duo Auth API, "Authentication").
func (c *Client) request(ctx context.Context, method, path string, params url.Values) (*http.Request, error) {
	if !ValidHost(c.Host) {
		return nil, errors.New("the API hostname is none")
	}
	sent := canonical(params)
	address := url.URL{Scheme: "https", Host: c.Host, Path: path}
	body := strings.NewReader(sent)
	if method == http.MethodGet {
		address.RawQuery = sent
		body = strings.NewReader("")
	}
	r, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, errors.New("the API hostname is none")
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	date := c.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0000")
	r.Header.Set("Date", date)
	r.Header.Set("Accept", "application/json")
	r.SetBasicAuth(c.Key, sign(c.Secret, date, method, c.Host, path, sent))
	return r, nil
}

// canonical writes parameters in the one way in which they are signed and sent.
func canonical(params url.Values) string {
	for _, values := range params {
		slices.Sort(values)
	}
	return strings.ReplaceAll(params.Encode(), "+", "%20")
}

// sign is the signature of a request.
func sign(secret, date, method, host, path, params string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{date, method, strings.ToLower(host), path, params}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}
