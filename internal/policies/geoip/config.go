package geoip

import (
	"github.com/weir-id/weir/internal/geoip"
)

// Config is the configuration of a GeoIP policy.
type Config struct {
	// ASNs and Countries are from where access is allowed: one of them is
	// enough. Both empty allow it from everywhere.
	ASNs      []int32             `json:"asns"`
	Countries []geoip.CountryCode `json:"countries" field:"required,max=249"`
	// CheckHistoryDistance compares the distance to earlier logins with
	// HistoryMaxDistanceKM, from which DistanceToleranceKM is taken off.
	CheckHistoryDistance bool  `json:"check_history_distance"`
	HistoryMaxDistanceKM int64 `json:"history_max_distance_km" field:"min=0,max=9223372036854775807,format=int64"`
	DistanceToleranceKM  int32 `json:"distance_tolerance_km" field:"min=0"`
	// HistoryLoginCount is how many earlier logins are looked at.
	HistoryLoginCount int32 `json:"history_login_count" field:"min=0,max=1000"`
	// CheckImpossibleTravel compares the distance to earlier logins with what a
	// plane can have flown since, from which ImpossibleToleranceKM is taken off.
	CheckImpossibleTravel bool  `json:"check_impossible_travel"`
	ImpossibleToleranceKM int32 `json:"impossible_tolerance_km" field:"min=0"`
}

func defaults() Config {
	return Config{ASNs: []int32{}, Countries: []geoip.CountryCode{}, HistoryMaxDistanceKM: 100, DistanceToleranceKM: 50, HistoryLoginCount: 5,
		ImpossibleToleranceKM: 100}
}

// members are the read-only members of the policy.
type members struct {
	Countries []country `json:"countries_obj"`
}

type country struct {
	Code string `json:"code" field:"required,min=2,max=2"`
	Name string `json:"name" field:"required"`
}

// Derived implements policy.Deriving: it names the countries.
func (c *Config) Derived() any {
	m := members{Countries: []country{}}
	for _, code := range c.Countries {
		m.Countries = append(m.Countries, country{string(code), code.Name()})
	}
	return &m
}
