// Package geoip is the policy type that looks at where the client is: in which
// country and network, and whether the person can have come there since the
// earlier logins.
//
// It judges what the request adds to the context (policy.KeyGeoIP and
// policy.KeyASN). What it would need and does not find there is an error, never
// a verdict (rule 8 of the security rules).
package geoip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/policy"
)

// Login is an earlier login and where it came from.
type Login struct {
	At   time.Time
	From geoip.Point
}

// Logins knows the earlier logins of people.
type Logins interface {
	// Logins returns the latest logins of a user from known places, newest
	// first, at most limit of them.
	Logins(ctx context.Context, user int64, limit int) ([]Login, error)
}

// The texts for people.
const (
	textNetwork  = "This is not allowed from the network you are in."
	textCountry  = "This is not allowed from the country you are in."
	textDistance = "You are too far away from where you signed in before."
	textTravel   = "You can’t have got here since you last signed in."
)

// speed is how fast people travel at most, in km/h.
const speed = 1000

// Type returns the policy type. now is the clock.
func Type(logins Logins, now func() time.Time) policy.Type {
	return policy.NewType(policy.Type{
		Name: "geoip", Model: "authentik_policies_geoip.geoippolicy", Component: "ak-policy-geoip-form",
		Label: "GeoIP Policy", Description: "Passes by where the client is, and where the person was before.",
		Filters: []string{},
	}, defaults, func(_ string, c Config) (policy.Policy, error) { return &located{c, logins, now}, nil })
}

type located struct {
	config Config
	logins Logins
	now    func() time.Time
}

var _ policy.Bounded = (*located)(nil)

// Bounded implements policy.Bounded: all that takes time is one query.
func (*located) Bounded() {}

// Evaluate passes when the client is in one of the networks or countries, and
// no earlier login is too far away.
func (p *located) Evaluate(ctx context.Context, r *policy.Request) (policy.Result, error) {
	allowed, messages, err := p.allowed(r)
	if err != nil {
		return policy.Result{}, err
	}
	verdict := policy.Fail
	if allowed {
		verdict = policy.Pass
	}
	if p.config.CheckHistoryDistance || p.config.CheckImpossibleTravel {
		far, err := p.far(ctx, r)
		if err != nil {
			return policy.Result{}, err
		}
		if far != "" {
			verdict, messages = policy.Fail, append(messages, far)
		}
	}
	return policy.Result{Verdict: verdict, Messages: messages}, nil
}

// allowed tells whether the client is where access is allowed from. It has a
// message for each list that the client is not in, also where the other one
// allows it.
func (p *located) allowed(r *policy.Request) (ok bool, messages []string, err error) {
	ok = len(p.config.ASNs) == 0 && len(p.config.Countries) == 0
	if len(p.config.ASNs) > 0 {
		asn, err := number(r, policy.KeyASN, "asn")
		if err != nil {
			return false, nil, err
		}
		if slices.ContainsFunc(p.config.ASNs, func(n int32) bool { return float64(n) == asn }) {
			ok = true
		} else {
			messages = append(messages, textNetwork)
		}
	}
	if len(p.config.Countries) > 0 {
		v, err := fact(r, policy.KeyGeoIP, "country")
		if err != nil {
			return false, nil, err
		}
		code, _ := v.(string)
		if code == "" {
			return false, nil, missing(policy.KeyGeoIP, "country")
		}
		if slices.Contains(p.config.Countries, geoip.CountryCode(code)) {
			ok = true
		} else {
			messages = append(messages, textCountry)
		}
	}
	return ok, messages, nil
}

// errNobody means that the earlier logins of nobody were asked for.
var errNobody = errors.New("nobody is known whose logins could be compared")

// far says what is wrong with the distance to the earlier logins; empty when
// nothing is.
func (p *located) far(ctx context.Context, r *policy.Request) (string, error) {
	lat, err := number(r, policy.KeyGeoIP, "lat")
	if err != nil {
		return "", err
	}
	long, err := number(r, policy.KeyGeoIP, "long")
	if err != nil {
		return "", err
	}
	here := geoip.Point{Lat: lat, Long: long}
	if !here.Valid() {
		return "", fmt.Errorf("there is no place at %v, %v", lat, long)
	}
	if !r.User.Saved() {
		return "", errNobody
	}
	logins, err := p.logins.Logins(ctx, r.User.ID, int(p.config.HistoryLoginCount))
	if err != nil {
		return "", err
	}
	now := p.now()
	for _, l := range logins {
		distance := here.Distance(l.From)
		if p.config.CheckHistoryDistance && distance >= float64(p.config.HistoryMaxDistanceKM)-float64(p.config.DistanceToleranceKM) {
			return textDistance, nil
		}
		hours := max(1, math.Floor(now.Sub(l.At).Hours()))
		if p.config.CheckImpossibleTravel && distance >= speed*hours-float64(p.config.ImpossibleToleranceKM) {
			return textTravel, nil
		}
	}
	return "", nil
}

func missing(key, member string) error {
	return fmt.Errorf("%s of the client's address is not known: no %s", key, member)
}

// fact is what the context knows of the client's place.
func fact(r *policy.Request, key, member string) (any, error) {
	known, _ := r.Context[key].(map[string]any)
	v := known[member]
	if v == nil {
		return nil, missing(key, member)
	}
	return v, nil
}

// number is a fact that is a number; those who test a policy write them in
// JSON, and expressions that call it in Python.
func number(r *policy.Request, key, member string) (float64, error) {
	v, err := fact(r, key, member)
	if err != nil {
		return 0, err
	}
	switch n := v.(type) {
	case float64:
		return n, nil
	case int64:
		return float64(n), nil
	case int:
		return float64(n), nil
	case json.Number:
		return n.Float64()
	}
	return 0, fmt.Errorf("%s of %s is not a number", member, key)
}
