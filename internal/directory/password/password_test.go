package password

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// The hashes of "correct horse". PBKDF2 and scrypt were computed with Python's
// hashlib (pbkdf2_hmac, scrypt with dklen 64), bcrypt with libcrypt's $2b$ over
// the SHA-256 hex of the password, salt "saltsaltsalt" in the first three.
const (
	djangoPBKDF2     = "pbkdf2_sha256$1000$saltsaltsalt$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY="
	djangoPBKDF2SHA1 = "pbkdf2_sha1$1000$saltsaltsalt$JfNU29qvQkW1UgahO6OQ0oP6O0I="
	djangoScrypt     = "scrypt$4096$saltsaltsalt$8$2$Yl00ccwBXfT/FvM970W5gHU6tfeNjd1VrjcI/fv2jFrKN7bkM0+BJN2esEg5n4yoojrQOLwAbW2PjmfiUAPUVA=="
	djangoBcrypt     = "bcrypt_sha256$$2b$06$abcdefghijklmnopqrstuu3EU4u.1UVgeGkDujWwknY23.buxm/Ny"
)

// The hashes of "password" with salt "somesalt" are known answers of the
// Argon2 reference implementation (m=65536, t=2, p=1).
const (
	phcArgon2id = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	phcArgon2i  = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"
)

// cheap makes tests fast; Validate would refuse it for a server.
var cheap = Params{MemoryKiB: 64, Passes: 1, Lanes: 1}

func cheapHasher() *Hasher {
	return &Hasher{params: cheap, queue: NewQueue(QueueConfig{Workers: 1}), dummy: argon2Hash{
		variant: "argon2id", params: cheap, salt: make([]byte, argon2SaltBytes), key: make([]byte, argon2KeyBytes)}}
}

func TestVerifyKnownHashes(t *testing.T) {
	tests := []struct {
		name, encoded, plain string
	}{
		{"Argon2id as a PHC string", phcArgon2id, "password"},
		{"Argon2i as a PHC string", phcArgon2i, "password"},
		{"Argon2id with Django's prefix", "argon2" + phcArgon2id, "password"},
		{"PBKDF2 over SHA-256", djangoPBKDF2, "correct horse"},
		{"PBKDF2 over SHA-1", djangoPBKDF2SHA1, "correct horse"},
		{"bcrypt over SHA-256", djangoBcrypt, "correct horse"},
		{"scrypt", djangoScrypt, "correct horse"},
	}
	h := cheapHasher()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for plain, want := range map[string]bool{tt.plain: true, tt.plain + " ": false, "": false} {
				got, err := h.Verify(t.Context(), tt.encoded, plain)
				if err != nil || got != want {
					t.Errorf("verify %q: got %v, %v; want %v", plain, got, err, want)
				}
			}
			if !h.NeedsRehash(tt.encoded) {
				t.Error("a foreign hash is not to be made anew")
			}
		})
	}
}

func TestHashRoundTrip(t *testing.T) {
	h := cheapHasher()
	for _, plain := range []string{"a", "pässwörd", strings.Repeat("x", MaxPlainBytes)} {
		encoded, err := h.Hash(t.Context(), plain)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.Verify(t.Context(), encoded, plain); !ok || err != nil {
			t.Errorf("own hash of %.10q does not verify: %v", plain, err)
		}
		if h.NeedsRehash(encoded) {
			t.Error("a hash with the current parameters is to be made anew")
		}
		if again, _ := h.Hash(t.Context(), plain); again == encoded {
			t.Error("two hashes share their salt")
		}
	}
	if _, err := h.Hash(t.Context(), strings.Repeat("x", MaxPlainBytes+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long a password: got %v", err)
	}
	other := newArgon2(Params{MemoryKiB: 128, Passes: 1, Lanes: 1}, []byte("a"))
	if !h.NeedsRehash(other) {
		t.Error("a hash with other parameters is not to be made anew")
	}
}

// TestRule44StoredCostIsBounded would run for minutes, or out of memory, if one
// of the rows were worked on.
func TestRule44StoredCostIsBounded(t *testing.T) {
	tests := []struct{ name, encoded string }{
		{"Argon2 with 2 TiB", "$argon2id$v=19$m=2147483648,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"Argon2 with four billion passes", "$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"Argon2 with much of both", "$argon2id$v=19$m=262144,t=32,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"Argon2 without lanes", "$argon2id$v=19$m=65536,t=2,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"Argon2 without passes", "$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"Argon2 with 256 lanes", "$argon2id$v=19$m=65536,t=2,p=256$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"PBKDF2 with two billion rounds", strings.Replace(djangoPBKDF2, "1000", "2000000000", 1)},
		{"PBKDF2 without rounds", strings.Replace(djangoPBKDF2, "1000", "0", 1)},
		{"bcrypt with cost 31", strings.Replace(djangoBcrypt, "$06$", "$31$", 1)},
		{"scrypt with n of 2^30", strings.Replace(djangoScrypt, "4096", "1073741824", 1)},
		{"scrypt whose product wraps around", "scrypt$1073741824$saltsaltsalt$1073741824$1073741824$" + strings.Repeat("A", 44)},
		{"scrypt with a million lanes", strings.Replace(djangoScrypt, "$8$2$", "$8$1000000$", 1)},
	}
	h := cheapHasher()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Check(tt.encoded); !errors.Is(err, ErrCost) {
				t.Errorf("check: got %v, want ErrCost", err)
			}
			if ok, err := h.Verify(t.Context(), tt.encoded, "correct horse"); ok || !errors.Is(err, ErrCost) {
				t.Errorf("verify: got %v, %v; want ErrCost", ok, err)
			}
		})
	}
}

func TestCheckRefusesBrokenHashes(t *testing.T) {
	tests := []struct{ name, encoded string }{
		{"empty", ""},
		{"plain text", "hunter2"},
		{"an unknown name", "md5$salt$d41d8cd98f00b204e9800998ecf8427e"},
		{"Argon2d", strings.Replace(phcArgon2id, "argon2id", "argon2d", 1)},
		{"an old Argon2 version", strings.Replace(phcArgon2id, "v=19", "v=16", 1)},
		{"a parameter that is no number", strings.Replace(phcArgon2id, "t=2", "t=x", 1)},
		{"parameters in another order", strings.Replace(phcArgon2id, "m=65536,t=2", "t=2,m=65536", 1)},
		{"a cut key", phcArgon2id[:len(phcArgon2id)-30]},
		{"a key of the wrong length", djangoPBKDF2[:60]},
		{"a scrypt cost that is no power of two", strings.Replace(djangoScrypt, "4096", "4095", 1)},
		{"a negative scrypt block", strings.Replace(djangoScrypt, "$8$2$", "$-8$2$", 1)},
		{"endless text", "argon2" + strings.Repeat("$", 100000)},
	}
	h := cheapHasher()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.encoded)
			if !errors.Is(err, ErrFormat) {
				t.Errorf("check: got %v, want ErrFormat", err)
			}
			if err != nil && len(tt.encoded) > 8 && strings.Contains(err.Error(), tt.encoded) {
				t.Error("the error repeats the hash")
			}
			if ok, err := h.Verify(t.Context(), tt.encoded, ""); ok || !errors.Is(err, ErrFormat) {
				t.Errorf("verify: got %v, %v; want ErrFormat", ok, err)
			}
		})
	}
}

func TestUnusablePasswordNeverVerifies(t *testing.T) {
	h := cheapHasher()
	for _, encoded := range []string{Unusable, "!" + phcArgon2id} {
		if ok, err := h.Verify(t.Context(), encoded, "password"); ok || err != nil {
			t.Errorf("%.5q: got %v, %v", encoded, ok, err)
		}
		if err := Check(encoded); err != nil {
			t.Errorf("%.5q cannot be stored: %v", encoded, err)
		}
	}
}

func TestWeakParametersAreRefused(t *testing.T) {
	for _, p := range []Params{{MemoryKiB: 1024, Passes: 2, Lanes: 1}, {MemoryKiB: 1 << 30, Passes: 1, Lanes: 1}, {MemoryKiB: 19 * 1024, Lanes: 1}} {
		if _, err := NewHasher(p, NewQueue(QueueConfig{})); err == nil {
			t.Errorf("%+v accepted", p)
		}
	}
}

// FuzzParse reads stored hashes. What is taken asks for work within bounds
// (rule 44), of every format, and what is refused says why.
func FuzzParse(f *testing.F) {
	for _, s := range []string{phcArgon2id, phcArgon2i, "argon2" + phcArgon2id, djangoPBKDF2, djangoPBKDF2SHA1, djangoBcrypt, djangoScrypt, "!", "$", "scrypt$$$$$",
		"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", strings.Replace(djangoScrypt, "4096", "0", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parse(s)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrCost) {
				t.Errorf("%q: %v", s, err)
			}
			if len(s) > 8 && strings.Contains(err.Error(), s) {
				t.Errorf("the error repeats %q", s)
			}
			return
		}
		ok := false
		switch h := h.(type) {
		case argon2Hash:
			p := h.params
			ok = p.Lanes >= 1 && p.Lanes <= 16 && p.Passes >= 1 && p.MemoryKiB >= 8*uint32(p.Lanes) && p.MemoryKiB <= 256<<10 &&
				uint64(p.MemoryKiB)*uint64(p.Passes) <= 1<<20 && len(h.salt) >= 8 && len(h.key) >= 16 && len(h.key) <= 64
		case pbkdf2Hash:
			ok = h.rounds >= 1 && h.rounds <= 5_000_000 && len(h.salt) > 0 && len(h.key) >= 20
		case bcryptHash:
			cost, err := bcrypt.Cost(h)
			ok = err == nil && cost >= 4 && cost <= 14
		case scryptHash:
			ok = h.n >= 2 && h.r >= 1 && h.p >= 1 && h.p <= 16 && h.n <= 1<<21 && h.n*h.r <= 1<<21 && h.n*h.r*h.p <= 1<<23 && len(h.key) >= 32
		}
		if !ok {
			t.Errorf("%q is out of bounds: %+v", s, h)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h, err := NewHasher(Params{}, NewQueue(QueueConfig{}))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
