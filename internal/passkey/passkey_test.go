package passkey_test

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/passkey/passkeytest"
)

const origin = "https://id.example:8443"

var (
	site  = passkey.Site{Origin: origin, Host: "id.example", Name: "Acme"}
	owner = passkey.Owner{Handle: []byte("a handle"), Name: "ann", DisplayName: "Ann"}
	// required wants a passkey that makes sure of its owner.
	required = passkey.Wanted{UserVerification: passkey.Required, ResidentKey: passkey.Preferred}
	// wanted does not insist.
	wanted = passkey.Wanted{UserVerification: passkey.Preferred, ResidentKey: passkey.Preferred}
)

func challenge() string {
	random := make([]byte, 32)
	rand.Read(random)
	return passkeytest.Text(random)
}

// lies are answers that no site takes.
var lies = map[string]func(k *passkeytest.Key){
	"another origin":           func(k *passkeytest.Key) { k.Origin = "https://id.example.evil.example:8443" },
	"another port":             func(k *passkeytest.Key) { k.Origin = "https://id.example" },
	"no encryption":            func(k *passkeytest.Key) { k.Origin = "http://id.example:8443" },
	"a domain below":           func(k *passkeytest.Key) { k.Origin = "https://evil.id.example:8443" },
	"no origin":                func(k *passkeytest.Key) { k.Origin = "" },
	"another relying party":    func(k *passkeytest.Key) { k.Host = "evil.example" },
	"the domain above":         func(k *passkeytest.Key) { k.Host = "example" },
	"another challenge":        func(k *passkeytest.Key) { k.Challenge = challenge() },
	"nobody touched it":        func(k *passkeytest.Key) { k.Absent = true },
	"another sort of ceremony": func(k *passkeytest.Key) { k.Kind = "payment.get" },
}

func TestRule30LiesAreRefused(t *testing.T) {
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			k, c := passkeytest.New(t, origin), challenge()
			lie(k)
			if made, err := site.Register(owner, c, wanted, k.Create(site.Creation(owner, c, wanted))); err == nil {
				t.Errorf("made %+v", made)
			}
			k = passkeytest.New(t, origin)
			made, err := site.Register(owner, c, wanted, k.Create(site.Creation(owner, c, wanted)))
			if err != nil {
				t.Fatal(err)
			}
			lie(k)
			if _, err := verify(t, k, made, passkey.Preferred); err == nil {
				t.Error("the answer counts")
			}
		})
	}
}

// verify has the key answer a question of the site.
func verify(t *testing.T, k *passkeytest.Key, made *passkey.New, uv passkey.UserVerification) (int64, error) {
	t.Helper()
	c := challenge()
	a, err := passkey.ReadAssertion(k.Sign(site.Request(c, []string{made.ID}, uv, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return site.Verify(a, c, uv, &made.Record, made.Counter)
}

func TestAnswersCount(t *testing.T) {
	for _, attestation := range []string{"none", "self", "packed"} {
		k, c := passkeytest.New(t, origin), challenge()
		k.Attestation = attestation
		made, err := site.Register(owner, c, required, k.Create(site.Creation(owner, c, required)))
		if err != nil {
			t.Fatal(err)
		}
		if made.ID != passkeytest.Text(k.ID) || made.AAGUID != k.AAGUID || made.Host != "id.example" || string(made.User) != "a handle" {
			t.Errorf("made %+v", made)
		}
		for want := int64(1); want < 3; want++ {
			n, err := verify(t, k, made, passkey.Required)
			if err != nil || n != want {
				t.Errorf("%s: counter %d, %v, want %d", attestation, n, err, want)
			}
			made.Counter = n
		}
	}
}

func TestRule30TheCounterOnlyGrows(t *testing.T) {
	k, c := passkeytest.New(t, origin), challenge()
	k.Counter = 7
	made, err := site.Register(owner, c, wanted, k.Create(site.Creation(owner, c, wanted)))
	if err != nil || made.Counter != 7 {
		t.Fatalf("%+v, %v", made, err)
	}
	for _, row := range []struct {
		next, want int64
		err        error
	}{{8, 8, nil}, {8, 0, passkey.ErrCopied}, {7, 0, passkey.ErrCopied}, {0, 0, passkey.ErrCopied}, {4_000_000_000, 4_000_000_000, nil}} {
		k.Counter, k.Stands = uint32(row.next), true
		n, err := verify(t, k, made, passkey.Preferred)
		if n != row.want || !errors.Is(err, row.err) {
			t.Errorf("counter %d after %d: %d, %v, want %d, %v", row.next, made.Counter, n, err, row.want, row.err)
		}
		if err == nil {
			made.Counter = n
		}
	}
	// Passkeys that are copied on purpose have none.
	synced := passkeytest.New(t, origin)
	synced.Synced, synced.Stands = true, true
	if made, err = site.Register(owner, c, wanted, synced.Create(site.Creation(owner, c, wanted))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := verify(t, synced, made, passkey.Preferred); n != 0 || err != nil {
			t.Errorf("counter %d, %v", n, err)
		}
	}
}

func TestUserVerification(t *testing.T) {
	for _, row := range []struct {
		uv         passkey.UserVerification
		unverified bool
		want       bool
	}{
		{passkey.Required, false, true}, {passkey.Required, true, false},
		{passkey.Preferred, false, true}, {passkey.Preferred, true, true}, {passkey.Discouraged, true, true},
	} {
		k, c := passkeytest.New(t, origin), challenge()
		w := passkey.Wanted{UserVerification: row.uv, ResidentKey: passkey.Preferred}
		k.Unverified = row.unverified
		if _, err := site.Register(owner, c, w, k.Create(site.Creation(owner, c, w))); (err == nil) != row.want {
			t.Errorf("%+v, made: %v", row, err)
		}
		k.Unverified = false
		made, err := site.Register(owner, c, w, k.Create(site.Creation(owner, c, w)))
		if err != nil {
			t.Fatal(err)
		}
		k.Unverified = row.unverified
		if _, err := verify(t, k, made, row.uv); (err == nil) != row.want {
			t.Errorf("%+v, answered: %v", row, err)
		}
	}
}

// A passkey of somebody else, or one that was made at another host, says nothing.
func TestRule30OnlyTheKeyItselfAnswers(t *testing.T) {
	k, c := passkeytest.New(t, origin), challenge()
	made, err := site.Register(owner, c, wanted, k.Create(site.Creation(owner, c, wanted)))
	if err != nil {
		t.Fatal(err)
	}
	other := passkeytest.New(t, origin)
	other.ID, other.User, other.Counter = k.ID, k.User, 5
	if _, err := verify(t, other, made, passkey.Preferred); err == nil {
		t.Error("another key answers")
	}
	k.User = []byte("somebody else")
	if _, err := verify(t, k, made, passkey.Preferred); err == nil {
		t.Error("the key of somebody else answers")
	}
	k.User, made.Host = owner.Handle, "elsewhere.example"
	if _, err := verify(t, k, made, passkey.Preferred); err == nil {
		t.Error("a key of another host answers")
	}
}

func TestRule30ListedMakesAreVouchedFor(t *testing.T) {
	titan, unknown := uuid.MustParse("42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3"), uuid.MustParse("01020304-0506-0708-0102-030405060708")
	for _, row := range []struct {
		name        string
		aaguid      uuid.UUID
		attestation string
		list        []uuid.UUID
		want        bool
	}{
		{"no list", titan, "none", nil, true},
		{"no list, no make", uuid.Nil, "none", nil, true},
		{"listed", titan, "packed", []uuid.UUID{titan}, true},
		{"listed, but only it says so", titan, "none", []uuid.UUID{titan}, false},
		{"listed, but it vouches for itself", titan, "self", []uuid.UUID{titan}, false},
		{"another", titan, "packed", []uuid.UUID{unknown}, false},
		{"not known by name, but listed", unknown, "packed", []uuid.UUID{unknown}, true},
		{"all unknown ones are listed", unknown, "none", []uuid.UUID{uuid.Nil}, true},
		{"all unknown ones are listed, and no make", uuid.Nil, "none", []uuid.UUID{uuid.Nil, titan}, true},
		{"all unknown ones are listed, but it is known", titan, "packed", []uuid.UUID{uuid.Nil}, false},
		{"no make", uuid.Nil, "packed", []uuid.UUID{titan}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			k, c := passkeytest.New(t, origin), challenge()
			k.AAGUID, k.Attestation = row.aaguid, row.attestation
			made, err := site.Register(owner, c, wanted, k.Create(site.Creation(owner, c, wanted)))
			if err != nil {
				t.Fatal(err)
			}
			if got := made.OneOf(row.list); got != row.want {
				t.Errorf("allowed: %v, want %v (%+v)", got, row.want, made.Record)
			}
		})
	}
}

// What is no answer is refused and no more.
func TestRule01AnswersOfOtherShapes(t *testing.T) {
	for _, v := range []any{nil, "", 3, []any{}, map[string]any{}, map[string]any{"id": "x", "rawId": "x", "type": "public-key"},
		map[string]any{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": map[string]any{"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": "oA", "signature": "oA"}}} {
		if a, err := passkey.ReadAssertion(v); err == nil {
			t.Errorf("%v is read as %+v", v, a)
		}
		if made, err := site.Register(owner, challenge(), wanted, v); err == nil {
			t.Errorf("%v is %+v", v, made)
		}
	}
}

func TestMakesAreKnownOnceByName(t *testing.T) {
	seen := map[uuid.UUID]bool{}
	all := passkey.Makes()
	for _, m := range all {
		if seen[m.AAGUID] || m.Description == "" {
			t.Errorf("%+v", m)
		}
		seen[m.AAGUID] = true
	}
	if len(all) < 300 || all[len(all)-1].AAGUID != uuid.Nil {
		t.Errorf("%d makes, the last is %+v", len(all), all[len(all)-1])
	}
	if name, ok := passkey.Make(uuid.MustParse("42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3")); !ok || name != "Google Titan Security Key v2" {
		t.Errorf("%q, %v", name, ok)
	}
	if _, ok := passkey.Make(uuid.Nil); ok {
		t.Error("zeros are no make")
	}
}
