package request

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Info is what the server found out about a request once, at its door.
type Info struct {
	// ID is random; it is in the answer's header and in each log line.
	ID string
	Origin
	// Outpost is set when the request carried a valid outpost token; Client is
	// then the address that the outpost names.
	Outpost bool
	// Account is that of the outpost.
	Account *identity.Person
	// Certificates is that of policy.HTTPRequest.
	Certificates func() []*x509.Certificate
	// Located is that of policy.HTTPRequest.
	Located func() map[string]any
}

// NewID returns an id for a request: 32 hex digits.
func NewID() string {
	id := uuid.New()
	return hex.EncodeToString(id[:])
}

type infoKey struct{}

// With returns a context that carries the info.
func With(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// From returns the info of a request's context; an empty one, which trusts
// nothing, outside a request.
func From(ctx context.Context) *Info {
	if info, ok := ctx.Value(infoKey{}).(*Info); ok {
		return info
	}
	return &Info{}
}

// Policy returns what policies may see of a request. query is the query of the
// page that the person sees.
func Policy(r *http.Request, query url.Values) *policy.HTTPRequest {
	info := From(r.Context())
	return &policy.HTTPRequest{
		ID:       info.ID,
		Method:   r.Method,
		Path:     r.URL.Path,
		Host:     info.Host,
		Secure:   info.Secure,
		Query:    query,
		Header:   visibleHeaders(r.Header, info.Trusted),
		Cookies:  visibleCookies(r),
		ClientIP: info.Client,
		Located:  info.Located,

		Certificates: info.Certificates,
		Outpost:      info.Account,
	}
}
