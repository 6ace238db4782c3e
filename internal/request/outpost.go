package request

import (
	"context"
	"net/http"

	"github.com/weir-id/weir/identity"
)

// The headers of an outpost: a program that signs people in on behalf of a
// server that speaks another protocol. Both must be there.
const (
	outpostToken = "X-authentik-outpost-token"
	outpostIP    = "X-authentik-remote-ip"
)

// OutpostFunc returns the outpost's account that a token belongs to; false where
// it belongs to none.
type OutpostFunc func(ctx context.Context, token string) (*identity.Person, bool)

// Outpost recognises an outpost's request and takes the address of the end
// client from it. An address that cannot be parsed is ignored; the request
// still counts as the outpost's.
func (p *Proxies) Outpost(r *http.Request, info *Info, valid OutpostFunc) {
	token, ip := r.Header.Get(outpostToken), r.Header.Get(outpostIP)
	if token == "" || ip == "" || valid == nil {
		return
	}
	account, ok := valid(r.Context(), token)
	if !ok {
		return
	}
	info.Outpost, info.Account = true, account
	if addr, ok := parseAddr(ip); ok {
		info.Client = addr
	} else {
		p.ignored(r, outpostIP)
	}
}
