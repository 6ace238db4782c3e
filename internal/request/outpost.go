package request

import (
	"context"
	"net/http"
)

// The headers of an outpost: a program that signs people in on behalf of a
// server that speaks another protocol. Both must be there.
const (
	outpostToken = "X-authentik-outpost-token"
	outpostIP    = "X-authentik-remote-ip"
)

// OutpostFunc tells whether a token belongs to an outpost's account.
type OutpostFunc func(ctx context.Context, token string) bool

// Outpost recognises an outpost's request and takes the address of the end
// client from it. An address that cannot be parsed is ignored; the request
// still counts as the outpost's.
func (p *Proxies) Outpost(r *http.Request, info *Info, valid OutpostFunc) {
	token, ip := r.Header.Get(outpostToken), r.Header.Get(outpostIP)
	if token == "" || ip == "" || valid == nil || !valid(r.Context(), token) {
		return
	}
	info.Outpost = true
	if addr, ok := parseAddr(ip); ok {
		info.Client = addr
	} else {
		p.ignored(r, outpostIP)
	}
}
