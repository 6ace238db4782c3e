package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/certificate/certificatetest"
)

func TestKeyFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ca := certificatetest.Authority(t, "authority")
	first, second := ca.Issue(t, "first", nil), ca.Issue(t, "second", nil)
	var log strings.Builder
	now := time.Now()
	open := func() (*KeyFiles, error) {
		return OpenKeyFiles(certificate, key, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	}
	if _, err := open(); err == nil {
		t.Error("files that are not there were read")
	}
	write(certificate, first.PEM()+ca.PEM())
	write(key, second.KeyPEM(t))
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "the key that belongs to it") {
		t.Errorf("a key of another certificate: %v", err)
	}
	write(key, first.KeyPEM(t))
	k, err := open()
	if err != nil {
		t.Fatal(err)
	}
	shows := func(step, want string, lines int) {
		t.Helper()
		for range 2 { // the second time nothing has changed
			now = now.Add(keyFilesPoll)
			if got := k.Certificate().Leaf.Subject.CommonName; got != want {
				t.Errorf("%s: it is %s, want %s", step, got, want)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != lines {
			t.Errorf("%s: %d lines were logged, want %d:\n%s", step, n, lines, &log)
		}
	}
	shows("as it was", "first", 0)
	if n := len(k.Certificate().Certificate); n != 2 {
		t.Errorf("the chain has %d certificates", n)
	}
	write(certificate, second.PEM())
	shows("the certificate without its key", "first", 1)
	write(key, second.KeyPEM(t))
	write(certificate, second.PEM())
	if got := k.Certificate().Leaf.Subject.CommonName; got != "first" {
		t.Errorf("the files are read for every connection: %s", got)
	}
	shows("both", "second", 2)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	shows("a file that is gone", "second", 3)
	if strings.Contains(log.String(), "PRIVATE") {
		t.Error("the log has the key")
	}
}
