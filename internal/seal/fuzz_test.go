package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/weir-id/weir/internal/seal"
)

// FuzzOpen opens what strangers made up, and sealed values that were changed at
// one byte or cut: nothing but the sealed value itself opens (rule 34).
func FuzzOpen(f *testing.F) {
	// Of its own, so that no value of another run opens.
	k, err := seal.NewKeys([]byte(rand.Text() + rand.Text())[:seal.KeyBytes])
	if err != nil {
		f.Fatal(err)
	}
	box := k.Box("device cookie")
	own := box.Seal([]byte(`{"sub":"x"}`), "here")
	f.Add([]byte{}, uint16(0), byte(1))
	f.Add([]byte{1}, uint16(0), byte(0))
	f.Add(own, uint16(3), byte(128))
	f.Add(bytes.Repeat([]byte{1}, seal.Overhead), uint16(40), byte(255))
	f.Fuzz(func(t *testing.T, made []byte, at uint16, flip byte) {
		if _, err := box.Open(made, "here"); !errors.Is(err, seal.ErrOpen) && !bytes.Equal(made, own) {
			t.Errorf("%x opens (%v)", made, err)
		}
		changed := bytes.Clone(own)
		changed[int(at)%len(own)] ^= flip
		if _, err := box.Open(changed, "here"); (err == nil) != (flip == 0) {
			t.Errorf("byte %d with %x: %v", at, flip, err)
		}
		if _, err := box.Open(own[:int(at)%len(own)], "here"); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("cut at %d: %v", at, err)
		}
		if _, err := box.Open(own, "here"+string(made)); (err == nil) != (len(made) == 0) {
			t.Errorf("opened at %q: %v", made, err)
		}
	})
}
