package expression

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"math"
	"math/big"

	"github.com/google/uuid"
	"go.starlark.net/starlark"
)

// bytesOf returns bytes, or text as UTF-8.
func bytesOf(v starlark.Value) (string, bool) {
	switch v := v.(type) {
	case starlark.Bytes:
		return string(v), true
	case starlark.String:
		return string(v), true
	}
	return "", false
}

func moduleBase64() *module {
	encode := func(enc *base64.Encoding) fn {
		return func(e *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			b, ok := v.(starlark.Bytes)
			if !ok {
				return nil, raise(excType, "a bytes-like object is required, not '%s'", kindOf(v))
			}
			out := enc.EncodeToString([]byte(b))
			return starlark.Bytes(out), e.text(len(out))
		}
	}
	decode := func(enc *base64.Encoding) fn {
		return func(e *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			s, ok := bytesOf(v)
			if !ok {
				return nil, raise(excType, "a bytes-like object is required, not '%s'", kindOf(v))
			}
			out, err := enc.DecodeString(s)
			if err != nil {
				return nil, raise(excValue, "Incorrect padding or invalid base64 text")
			}
			return starlark.Bytes(out), e.text(len(out))
		}
	}
	return newModule("base64", functions(map[string]fn{
		"b64encode": encode(base64.StdEncoding), "b64decode": decode(base64.StdEncoding),
		"urlsafe_b64encode": encode(base64.URLEncoding), "urlsafe_b64decode": decode(base64.URLEncoding),
	}))
}

// digestValue is a hash being filled.
type digestValue struct {
	opaque
	h hash.Hash
}

func moduleHashlib() *module {
	members := map[string]starlark.Value{}
	for name, make := range map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224,
		"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New} {
		members[name] = builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			var v starlark.Value = starlark.Bytes("")
			var secure starlark.Value
			if err := c.take("data?", &v, "usedforsecurity?", &secure); err != nil {
				return nil, err
			}
			d := &digestValue{opaque{name}, make()}
			return d, d.update(e, v)
		})
	}
	return newModule("hashlib", members)
}

func (d *digestValue) update(e *evaluation, v starlark.Value) error {
	b, ok := v.(starlark.Bytes)
	if !ok {
		return raise(excType, "Strings must be encoded before hashing")
	}
	e.work(len(b))
	d.h.Write([]byte(b))
	return nil
}

func (d *digestValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "update":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			return starlark.None, d.update(e, v)
		}), nil
	case "hexdigest":
		return constant(name, starlark.String(hex.EncodeToString(d.h.Sum(nil)))), nil
	case "digest":
		return constant(name, starlark.Bytes(d.h.Sum(nil))), nil
	case "name":
		return starlark.String(d.kind), nil
	}
	return nil, nil
}

func moduleMath() *module {
	members := map[string]starlark.Value{"pi": starlark.Float(math.Pi), "e": starlark.Float(math.E),
		"inf": starlark.Float(math.Inf(1)), "nan": starlark.Float(math.NaN())}
	float := func(name string, f func(float64) float64) {
		members[name] = builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			x, ok := asFloat(v)
			if !ok {
				return nil, raise(excType, "must be real number, not %s", kindOf(v))
			}
			y := f(x)
			if math.IsNaN(y) && !math.IsNaN(x) || math.IsInf(y, 0) && !math.IsInf(x, 0) {
				return nil, raise(excValue, "math domain error")
			}
			return starlark.Float(y), nil
		})
	}
	for name, f := range map[string]func(float64) float64{"sqrt": math.Sqrt, "exp": math.Exp, "log2": math.Log2,
		"log10": math.Log10, "log": math.Log, "sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "fabs": math.Abs} {
		float(name, f)
	}
	for name, f := range map[string]func(float64) float64{"floor": math.Floor, "ceil": math.Ceil, "trunc": math.Trunc} {
		members[name] = builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			if x, ok := v.(starlark.Float); ok {
				v = starlark.Float(f(float64(x)))
			}
			return e.toInt(v, 10)
		})
	}
	members["gcd"] = builtin("gcd", func(_ *evaluation, c call) (starlark.Value, error) {
		g := new(big.Int)
		for _, v := range c.args {
			i, ok := asInt(v)
			if !ok {
				return nil, raise(excType, "'%s' object cannot be interpreted as an integer", kindOf(v))
			}
			g.GCD(nil, nil, g, new(big.Int).Abs(i.BigInt()))
		}
		return starlark.MakeBigInt(g), nil
	})
	members["pow"] = builtin("pow", func(_ *evaluation, c call) (starlark.Value, error) {
		var x, y starlark.Value
		if err := c.take("x", &x, "y", &y); err != nil {
			return nil, err
		}
		a, _ := asFloat(x)
		b, _ := asFloat(y)
		return floatOp("**", a, b)
	})
	return newModule("math", members)
}

func moduleString() *module {
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	return newModule("string", map[string]starlark.Value{
		"ascii_lowercase": starlark.String(lower), "ascii_uppercase": starlark.String(upper),
		"ascii_letters": starlark.String(lower + upper), "digits": starlark.String(digits),
		"hexdigits": starlark.String(digits + "abcdefABCDEF"), "octdigits": starlark.String("01234567"),
		"punctuation": starlark.String(punctuation), "whitespace": starlark.String(" \t\n\r\v\f"),
		"printable": starlark.String(digits + lower + upper + punctuation + " \t\n\r\v\f"),
	})
}

// uuidValue is a UUID.
type uuidValue struct {
	opaque
	id uuid.UUID
}

func newUUID(id uuid.UUID) *uuidValue            { return &uuidValue{opaque{"UUID"}, id} }
func (u *uuidValue) str() string                 { return u.id.String() }
func (u *uuidValue) Hash() (uint32, error)       { return starlark.String(u.id.String()).Hash() }
func (u *uuidValue) equal(v starlark.Value) bool { o, ok := v.(*uuidValue); return ok && o.id == u.id }

func (u *uuidValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "hex":
		return starlark.String(hex.EncodeToString(u.id[:])), nil
	case "bytes":
		return starlark.Bytes(u.id[:]), nil
	case "version":
		return starlark.MakeInt(int(u.id.Version())), nil
	}
	return nil, nil
}

func moduleUUID() *module {
	members := map[string]starlark.Value{}
	members["uuid4"] = builtin("uuid4", func(*evaluation, call) (starlark.Value, error) {
		id, err := uuid.NewRandom()
		return newUUID(id), hostError("make a random id", err)
	})
	members["UUID"] = &typeObject{name: "UUID", is: func(v starlark.Value) bool { _, ok := v.(*uuidValue); return ok },
		new: func(_ *evaluation, c call) (starlark.Value, error) {
			var v starlark.Value
			if err := c.take("hex", &v); err != nil {
				return nil, err
			}
			id, err := uuid.Parse(str(v))
			if err != nil {
				return nil, raise(excValue, "badly formed hexadecimal UUID string")
			}
			return newUUID(id), nil
		}}
	members["uuid5"] = builtin("uuid5", func(_ *evaluation, c call) (starlark.Value, error) {
		var ns starlark.Value
		name := ""
		if err := c.take("namespace", &ns, "name", &name); err != nil {
			return nil, err
		}
		space, ok := ns.(*uuidValue)
		if !ok {
			return nil, raise(excType, "namespace must be a UUID")
		}
		return newUUID(uuid.NewSHA1(space.id, []byte(name))), nil
	})
	for name, id := range map[string]uuid.UUID{"NAMESPACE_DNS": uuid.NameSpaceDNS, "NAMESPACE_URL": uuid.NameSpaceURL} {
		members[name] = newUUID(id)
	}
	return newModule("uuid", members)
}

// below returns a random number below n from the system's secure source.
func below(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // the source never fails (crypto/rand)
	}
	return v.Int64()
}

// moduleRandom is random or secrets; both draw from the secure source.
func moduleRandom(name string) *module {
	token := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return b
	}
	size := func(e *evaluation, c call) (int, error) {
		n := 32
		if err := c.take("nbytes?", &n); err != nil {
			return 0, err
		}
		if n < 0 {
			return 0, raise(excValue, "negative count")
		}
		return n, e.text(n)
	}
	fns := map[string]fn{
		"choice": func(e *evaluation, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			items, err := e.items(v)
			if err != nil {
				return nil, err
			}
			if len(items) == 0 {
				return nil, raise(excIndex, "Cannot choose from an empty sequence")
			}
			return items[below(int64(len(items)))], nil
		},
		"randint": func(_ *evaluation, c call) (starlark.Value, error) {
			a, b := 0, 0
			if err := c.take("a", &a, "b", &b); err != nil {
				return nil, err
			}
			if b < a || b-a < 0 {
				return nil, raise(excValue, "empty range for randint()")
			}
			return starlark.MakeInt(a + int(below(int64(b-a)+1))), nil
		},
		"random": func(*evaluation, call) (starlark.Value, error) {
			return starlark.Float(float64(below(1<<53)) / (1 << 53)), nil
		},
		"randbelow": func(_ *evaluation, c call) (starlark.Value, error) {
			n := 0
			if err := c.take("n", &n); err != nil {
				return nil, err
			}
			if n <= 0 {
				return nil, raise(excValue, "Upper bound must be positive.")
			}
			return starlark.MakeInt64(below(int64(n))), nil
		},
		"token_hex": func(e *evaluation, c call) (starlark.Value, error) {
			n, err := size(e, c)
			if err != nil {
				return nil, err
			}
			return starlark.String(hex.EncodeToString(token(n))), nil
		},
		"token_urlsafe": func(e *evaluation, c call) (starlark.Value, error) {
			n, err := size(e, c)
			if err != nil {
				return nil, err
			}
			return starlark.String(base64.RawURLEncoding.EncodeToString(token(n))), nil
		},
	}
	return newModule(name, functions(fns))
}

func moduleTime() *module {
	m := newModule("time", functions(map[string]fn{
		"time": func(e *evaluation, c call) (starlark.Value, error) {
			return starlark.Float(float64(e.now().UnixMicro()) / 1e6), c.take()
		},
	}))
	m.members["sleep"] = refuse(excPermission, "time.sleep: expressions cannot wait")
	return m
}
