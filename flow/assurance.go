package flow

import (
	"cmp"
	"slices"

	"github.com/weir-id/weir/identity"
)

// Authentication method references, RFC 8176 section 2: what proofs name as the
// way in which somebody was checked.
const (
	MethodPassword     = "pwd"
	MethodCode         = "otp"
	MethodTextMessage  = "sms"
	MethodKey          = "pop"
	MethodPresence     = "user"
	MethodSmartCard    = "sc"
	MethodOtherChannel = "mca"
	// methodMultiple is added where two factors were checked.
	methodMultiple = "mfa"
)

// maxProofs is how many proofs a session keeps, the newest.
const maxProofs = 16

// Assure says how sure it is that whoever these proofs come from is the user. It is
// the one place where factors are counted (rule 26): a password and a second
// factor are two, however often each was given, and only when they did not come
// through the same channel (rule 27); a passkey that named the person and made sure
// of them proves both by itself. A mailbox is one factor and never the second of two.
// A certificate is one by itself, and adds to a password as a second factor does.
func Assure(proofs []Proof, user int64) identity.Assurance {
	var a identity.Assurance
	if user == 0 {
		return a
	}
	var passwords, seconds []Proof
	for _, p := range proofs {
		if p.User != user {
			continue
		}
		switch p.Fact {
		case FactPassword:
			passwords = append(passwords, p)
		case FactSecondFactor, FactCertificate:
			seconds = append(seconds, p)
		case FactMailbox:
		default:
			continue
		}
		a.ACR = identity.OneFactor
		a.AMR = append(a.AMR, p.Methods...)
		if p.At.After(a.At) {
			a.At = p.At
		}
	}
	if slices.ContainsFunc(passwords, func(p Proof) bool { return slices.ContainsFunc(seconds, p.complements) }) {
		a.ACR = identity.TwoFactors
		a.AMR = append(a.AMR, methodMultiple)
	}
	slices.Sort(a.AMR)
	a.AMR = slices.Compact(a.AMR)
	return a
}

// complements tells whether a second factor adds to the first. What came through one
// channel is one factor, unless it is an authenticator that is two: the one thing
// that proves a password without being one.
func (p Proof) complements(second Proof) bool {
	return p.Channel != second.Channel || p.Authenticator != "" && p.Authenticator == second.Authenticator
}

// mergeProofs adds newer proofs to those of a session; of two about the same thing
// the later stays.
func mergeProofs(known, more []Proof) []Proof {
	same := func(a, b Proof) bool {
		return a.Fact == b.Fact && a.User == b.User && a.Channel == b.Channel && a.Authenticator == b.Authenticator
	}
	all := slices.Clone(more)
	for _, p := range known {
		if !slices.ContainsFunc(more, func(m Proof) bool { return same(p, m) }) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b Proof) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Fact, b.Fact)) })
	return all[:min(len(all), maxProofs)]
}

// assuring are those of the proofs that say who the user is.
func assuring(proofs []Proof, user int64) []Proof {
	return slices.DeleteFunc(slices.Clone(proofs), func(p Proof) bool {
		return p.User != user || p.Fact != FactPassword && p.Fact != FactSecondFactor && p.Fact != FactCertificate && p.Fact != FactMailbox
	})
}

// proofsToKeep are what the session is to remember after a step that proved
// something: after a login all that its plan proved about the person, else what its
// own person proved just now, added to what it knows. Nil keeps what is there.
func (r *run) proofsToKeep(out Outcome) []Proof {
	if out.Login != nil {
		return mergeProofs(nil, assuring(r.plan.Proofs, out.Login.User.ID))
	}
	s := r.req.Session
	if out.Logout || s.UserID == 0 || s.ActsAs != 0 {
		return nil
	}
	if more := assuring(out.Proofs, s.UserID); len(more) > 0 {
		return mergeProofs(s.Proofs, more)
	}
	return nil
}

// Assurance says how sure it is, after what this execution and the session have
// proved, that the visitor is the user.
func (x *Exec) Assurance(user int64) identity.Assurance {
	return Assure(slices.Concat(x.req.Session.Proofs, x.plan.Proofs), user)
}

// Confirmed tells whether the authenticator has proved the fact about the user in
// this execution.
func (x *Exec) Confirmed(fact Fact, authenticator string, user int64) bool {
	return slices.ContainsFunc(x.plan.Proofs, func(p Proof) bool {
		return p.Fact == fact && p.Authenticator == authenticator && p.User == user
	})
}
