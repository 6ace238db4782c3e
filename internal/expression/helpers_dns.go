package expression

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/internal/lru"
)

// Resolver asks name servers; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// What name servers said, failures too, is kept for a while.
const (
	namesKept = 32
	namesAge  = 180 * time.Second
	// maxQuestion is longer than every name, in bytes.
	maxQuestion = 300
)

// answers holds what one of the DNS functions has found out.
type answers = lru.Cache[string, answer]

type answer struct {
	values []string
	at     time.Time
}

// lookup returns a kept answer or asks for one. ask returns nothing on failure.
func (e *evaluation) lookup(kept *answers, question, helper string, ask func() []string) ([]string, error) {
	if e.env.DNS == nil {
		return nil, raise(excPermission, "%s: expressions may not ask name servers; an administrator has to set expression_dns to true", helper)
	}
	if len(question) > maxQuestion {
		return nil, nil
	}
	now := e.now()
	if a, ok := kept.Get(question); ok && now.Sub(a.at) < namesAge {
		return a.values, nil
	}
	if e.counted().names.Add(1) > maxNames {
		return nil, e.limit("too many questions to name servers")
	}
	values := ask()
	if err := e.stopped(); err != nil {
		return nil, err // no answer, rather than none there
	}
	kept.Put(question, answer{values, now})
	return values, nil
}

// resolveDNS is resolve_dns: the addresses of a name, all or those of one
// version.
func (c *Compiler) resolveDNS(e *evaluation, args call) (starlark.Value, error) {
	var name string
	var version starlark.Value = starlark.None
	if err := args.take("host", &name, "ip_version?", &version); err != nil {
		return nil, err
	}
	network := "ip"
	if version != starlark.None {
		if network += str(version); network != "ip4" && network != "ip6" {
			return nil, raise(excValue, "resolve_dns: ip_version is 4, 6 or None")
		}
	}
	found, err := e.lookup(c.addresses, network+" "+name, args.name, func() []string {
		addrs, err := e.env.DNS.LookupNetIP(e.ctx, network, name)
		if err != nil {
			return nil
		}
		var out []string
		for _, a := range addrs {
			if text := a.Unmap().String(); !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	return e.fromGo(found)
}

// reverseDNS is reverse_dns: the name of an address, or the address itself when
// it has none.
func (c *Compiler) reverseDNS(e *evaluation, args call) (starlark.Value, error) {
	v, err := args.only("ip_addr")
	if err != nil {
		return nil, err
	}
	ip := str(v)
	found, err := e.lookup(c.names, ip, args.name, func() []string {
		names, err := e.env.DNS.LookupAddr(e.ctx, ip)
		if err != nil || len(names) == 0 {
			return nil
		}
		return []string{strings.TrimSuffix(names[0], ".")}
	})
	if err != nil || len(found) == 0 {
		return starlark.String(ip), err
	}
	return starlark.String(found[0]), e.text(len(found[0]))
}
