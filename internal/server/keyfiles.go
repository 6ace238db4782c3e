package server

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// KeyFiles are a certificate and its private key in files in PEM form. They are
// read again when they have changed, so that a renewed certificate needs no
// restart. It is safe for concurrent use.
type KeyFiles struct {
	certificate, key string
	log              *slog.Logger
	now              func() time.Time

	current atomic.Pointer[tls.Certificate]
	// checking guards when the files were looked at last, and what they held.
	checking sync.Mutex
	checked  time.Time
	seen     [sha256.Size]byte
	problem  string
}

// keyFilesPoll is how often the files are looked at while connections come.
const keyFilesPoll = time.Second

// OpenKeyFiles reads the files the first time. now is the clock.
func OpenKeyFiles(certificate, key string, log *slog.Logger, now func() time.Time) (*KeyFiles, error) {
	k := &KeyFiles{certificate: certificate, key: key, log: log, now: now, checked: now()}
	if err := k.read(); err != nil {
		return nil, fmt.Errorf("read the TLS certificate %s and its key %s: %w", certificate, key, err)
	}
	return k, nil
}

// Certificate returns what the files hold. While they hold something that cannot
// be used, such as a certificate whose key has not been written yet, it is what
// they held before.
func (k *KeyFiles) Certificate() *tls.Certificate {
	if k.checking.TryLock() {
		defer k.checking.Unlock()
		if now := k.now(); now.Sub(k.checked) >= keyFilesPoll {
			k.checked = now
			k.again()
		}
	}
	return k.current.Load()
}

// again reads the files once more. The same problem is told once.
func (k *KeyFiles) again() {
	err := k.read()
	if err == nil {
		k.problem = ""
		return
	}
	if text := err.Error(); text != k.problem {
		k.problem = text
		k.log.Error("TLS certificate not replaced", slog.String("certificate", k.certificate), slog.String("key", k.key), slog.Any("error", err))
	}
}

func (k *KeyFiles) read() error {
	certificate, err := os.ReadFile(k.certificate)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(k.key)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(append(append(certificate, 0), key...))
	if sum == k.seen {
		return nil
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return errors.New("they hold no certificate with the key that belongs to it, in PEM form")
	}
	again := k.current.Swap(&pair) != nil
	k.seen = sum
	if again {
		k.log.Info("TLS certificate replaced", slog.String("certificate", k.certificate), slog.Time("expires", pair.Leaf.NotAfter))
	}
	return nil
}
