package weir

import (
	"fmt"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/policies"
	"github.com/weir-id/weir/internal/policies/password"
	"github.com/weir-id/weir/internal/policies/uniquepassword"
	"github.com/weir-id/weir/policy"
)

// policyEnv is what the policy types need of this installation.
func (in *Installation) policyEnv() (policies.Env, error) {
	hibp := in.config.HIBP
	if err := password.CheckFile(hibp.File); err != nil {
		return policies.Env{}, fmt.Errorf("hibp_file: %w", err)
	}
	leaks := &password.Leaks{URL: hibp.URL, File: hibp.File, Client: outbound.Client(nil), Now: in.now, Logger: in.log.With("component", "leaks")}
	return policies.Env{
		Compiler:  in.expressions,
		Scores:    in.reputation,
		Password:  password.Env{Leaks: leaks, BrandTitle: func(host string) string { return in.catalog.Snapshot().BrandFor(host).Title }},
		Passwords: in.people, Logins: placedLogins{in}, Now: in.now,
	}, nil
}

// passwordHistory is how many earlier passwords of each user are kept: as many
// as the policies that are in use ask for.
func (in *Installation) passwordHistory() int {
	s := in.catalog.Snapshot()
	objects, _ := s.FindAll(catalog.KindPolicy, uniquepassword.Name, nil) // which only fails for fields
	most := 0
	for _, o := range objects {
		if len(s.Referrers(o.ID)) == 0 {
			continue
		}
		asked := uniquepassword.MaxHistory // where the policy cannot be read
		if p, ok := o.Doc.(*policy.Object); ok && o.Err == nil {
			if c, ok := p.Config.(*uniquepassword.Config); ok {
				asked = int(c.Historical)
			}
		}
		most = max(most, asked)
	}
	return most
}
