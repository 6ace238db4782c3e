package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

var (
	secret  = []byte("a secret key of the installation, random")
	another = []byte("another secret key, which is random too.")
)

func keys(t testing.TB, fill byte) *seal.Keys {
	t.Helper()
	k, err := seal.NewKeys(bytes.Repeat([]byte{fill}, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedValuesComeBack(t *testing.T) {
	box := keys(t, 1).Box("test")
	for _, plain := range [][]byte{nil, {0}, []byte("text"), make([]byte, 100_000)} {
		sealed := box.Seal(plain, "here")
		if len(sealed) != len(plain)+seal.Overhead {
			t.Errorf("%d bytes became %d", len(plain), len(sealed))
		}
		if got, err := box.Open(sealed, "here"); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d, %v", len(plain), len(got), err)
		}
	}
	if bytes.Equal(box.Seal([]byte("x"), ""), box.Seal([]byte("x"), "")) {
		t.Error("the same value was sealed to the same bytes twice")
	}
}

func TestRule34FlippingAnyByteIsRefused(t *testing.T) {
	box := keys(t, 1).Box("test")
	sealed := box.Seal([]byte("the session"), "here")
	for i := range sealed {
		for bit := range 8 {
			forged := bytes.Clone(sealed)
			forged[i] ^= 1 << bit
			if _, err := box.Open(forged, "here"); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
	for n := range sealed {
		if _, err := box.Open(sealed[:n], "here"); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := box.Open(append(bytes.Clone(sealed), 0), "here"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("one byte longer: %v", err)
	}
}

func TestRule34ValuesAreBound(t *testing.T) {
	sealed := keys(t, 1).Box("session").Seal([]byte("x"), "here")
	for _, c := range []struct {
		name  string
		box   *seal.Box
		place string
	}{
		{"another place", keys(t, 1).Box("session"), "there"},
		{"another purpose", keys(t, 1).Box("plan"), "here"},
		{"another data key", keys(t, 2).Box("session"), "here"},
	} {
		if _, err := c.box.Open(sealed, c.place); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("opened for %s: %v", c.name, err)
		}
	}
}

func TestKeysOfPurposesDiffer(t *testing.T) {
	k := keys(t, 1)
	if !bytes.Equal(k.MAC("a"), keys(t, 1).MAC("a")) {
		t.Error("the same purpose gives two keys")
	}
	if bytes.Equal(k.MAC("a"), k.MAC("b")) || bytes.Equal(k.MAC("a"), keys(t, 2).MAC("a")) {
		t.Error("two purposes or two data keys give one key")
	}
	if len(k.MAC("a")) != seal.KeyBytes {
		t.Errorf("key has %d bytes", len(k.MAC("a")))
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	k := keys(t, 'K')
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "keys", k, "box", k.Box("b"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&out, " "+verb, k)
	}
	if s := out.String(); strings.Contains(s, "KKK") || strings.Contains(s, "75, 75") || strings.Contains(s, "75 75") || strings.Contains(s, "0x4b") {
		t.Errorf("the data key was printed: %s", s)
	}
}

func TestLoadOrCreate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		first, id, err := seal.LoadOrCreate(t.Context(), db, secret)
		if err != nil {
			t.Fatal(err)
		}
		again, sameID, err := seal.LoadOrCreate(t.Context(), db, secret)
		if err != nil || sameID != id || id == "" || !bytes.Equal(first.MAC("x"), again.MAC("x")) {
			t.Errorf("second load gives id %q (first %q), %v", sameID, id, err)
		}
		if _, _, err := seal.LoadOrCreate(t.Context(), db, another); !errors.Is(err, seal.ErrWrongSecretKey) {
			t.Errorf("wrong secret key: %v", err)
		}
		if _, _, err := seal.LoadOrCreate(t.Context(), db, secret[:seal.MinSecretKeyBytes-1]); !errors.Is(err, seal.ErrShortSecretKey) {
			t.Errorf("short secret key: %v", err)
		}
		var stored []byte
		if err := db.QueryRow(t.Context(), "select data_key from install").Scan(&stored); err != nil || len(stored) != seal.KeyBytes+seal.Overhead {
			t.Errorf("stored %d bytes, %v", len(stored), err)
		}
		if _, err := db.Exec(t.Context(), "update install set install_id = 'moved'"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := seal.LoadOrCreate(t.Context(), db, secret); !errors.Is(err, seal.ErrWrongSecretKey) {
			t.Errorf("data key of another installation: %v", err)
		}
	})
}

func TestNodesThatStartTogetherAgreeOnOneKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		macs, ids := make([][]byte, 8), make([]string, 8)
		var g errgroup.Group
		for i := range macs {
			g.Go(func() error {
				k, id, err := seal.LoadOrCreate(t.Context(), db, secret)
				if err == nil {
					macs[i], ids[i] = k.MAC("x"), id
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for i := range macs {
			if !bytes.Equal(macs[i], macs[0]) || ids[i] != ids[0] {
				t.Fatal("two nodes have different keys or ids")
			}
		}
	})
}

func TestRewrap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		if err := seal.Rewrap(t.Context(), db, secret, another); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("rewrap before the first start: %v", err)
		}
		before, id, err := seal.LoadOrCreate(t.Context(), db, secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := seal.Rewrap(t.Context(), db, another, secret); !errors.Is(err, seal.ErrWrongSecretKey) {
			t.Errorf("rewrap with the wrong old key: %v", err)
		}
		if err := seal.Rewrap(t.Context(), db, secret, []byte("short")); !errors.Is(err, seal.ErrShortSecretKey) {
			t.Errorf("rewrap with a short new key: %v", err)
		}
		if err := seal.Rewrap(t.Context(), db, secret, another); err != nil {
			t.Fatal(err)
		}
		after, sameID, err := seal.LoadOrCreate(t.Context(), db, another)
		if err != nil || sameID != id || !bytes.Equal(before.MAC("x"), after.MAC("x")) {
			t.Errorf("after the rewrap: id %q (was %q), %v", sameID, id, err)
		}
		if _, _, err := seal.LoadOrCreate(t.Context(), db, secret); !errors.Is(err, seal.ErrWrongSecretKey) {
			t.Errorf("the old key still works: %v", err)
		}
	})
}
