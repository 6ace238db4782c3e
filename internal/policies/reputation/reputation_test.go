package reputation_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/policies/reputation"
	"github.com/weir-id/weir/policy"
)

// scores answers with a score for each question.
type scores map[string]int64

func (s scores) Score(_ context.Context, from *netip.Addr, name *string) (int64, error) {
	question := ""
	if from != nil {
		question += "ip " + from.String()
	}
	if name != nil {
		question += " name " + *name
	}
	n, ok := s[question]
	if !ok {
		return 0, fmt.Errorf("unexpected question %q", question)
	}
	return n, nil
}

func TestReputation(t *testing.T) {
	ann := identity.NewPerson(identity.User{ID: 7, Username: "ann"}, nil)
	at := &policy.HTTPRequest{ClientIP: netip.MustParseAddr("192.0.2.7")}
	both := reputation.Config{CheckIP: true, CheckUsername: true, Threshold: -5}
	with := func(c reputation.Config, change func(*reputation.Config)) reputation.Config { change(&c); return c }
	for _, row := range []struct {
		name   string
		config reputation.Config
		user   *identity.Person
		http   *policy.HTTPRequest
		scores scores
		want   policy.Verdict
	}{
		{"nothing is known", both, ann, at, scores{"ip 192.0.2.7 name ann": 0}, policy.Fail},
		{"above the threshold", both, ann, at, scores{"ip 192.0.2.7 name ann": -4}, policy.Fail},
		{"at the threshold", both, ann, at, scores{"ip 192.0.2.7 name ann": -5}, policy.Pass},
		{"below it", both, ann, at, scores{"ip 192.0.2.7 name ann": -6}, policy.Pass},
		{"only the address", with(both, func(c *reputation.Config) { c.CheckUsername = false }), ann, at, scores{"ip 192.0.2.7": -5}, policy.Pass},
		{"only the name", with(both, func(c *reputation.Config) { c.CheckIP = false }), ann, at, scores{" name ann": -5}, policy.Pass},
		{"a visitor has no name", both, identity.Anonymous(), at, scores{"ip 192.0.2.7": -5}, policy.Pass},
		{"a visitor where only names count", with(both, func(c *reputation.Config) { c.CheckIP = false }), identity.Anonymous(), at, scores{"": 0}, policy.Fail},
		{"a name that was only typed", both, identity.NewPerson(identity.User{Username: "bob"}, nil), at, scores{"ip 192.0.2.7 name bob": -5}, policy.Pass},
		{"no request", both, ann, nil, scores{"ip invalid IP name ann": 0}, policy.Fail},
		{"a threshold above zero", with(both, func(c *reputation.Config) { c.Threshold = 1 }), ann, at, scores{"ip 192.0.2.7 name ann": 1}, policy.Pass},
		{"no answer is no verdict", both, ann, at, scores{}, policy.Error},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := reputation.Type(row.scores)
			p, err := typ.Build("p", &row.config)
			if err != nil {
				t.Fatal(err)
			}
			got := (&policy.Object{Name: "p", Policy: p}).Evaluate(t.Context(), &policy.Request{User: row.user, HTTP: row.http}, time.Minute)
			if got.Verdict != row.want {
				t.Errorf("verdict %v (%v), want %v", got.Verdict, got.Err, row.want)
			}
		})
	}
}

func TestDefaultsAndBothChecksOff(t *testing.T) {
	typ := reputation.Type(scores{})
	if c := typ.Defaults().(*reputation.Config); !c.CheckIP || !c.CheckUsername || c.Threshold != -5 {
		t.Errorf("defaults %+v", c)
	}
	_, errs := field.Decode(typ.Defaults(), map[string]any{"check_ip": false, "check_username": false}, field.Create)
	if errs[field.NonField] == nil {
		t.Errorf("a policy that looks at nothing is accepted: %v", errs)
	}
}
