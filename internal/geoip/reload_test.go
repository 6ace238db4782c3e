package geoip_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/geoip/geoiptest"
)

var addr = netip.MustParseAddr("192.0.2.1")

// in writes a database in which addr is in a city.
func in(t testing.TB, path, city string) {
	t.Helper()
	geoiptest.City(t, path, map[string]geoip.Place{"192.0.2.0/24": {City: city}})
}

func city(d *geoip.Databases) string {
	p, _ := d.Place(addr)
	return p.City
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	dir := t.TempDir()
	f := write(t)
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(f.city)
	if err != nil {
		t.Fatal(err)
	}
	huge := put("huge.mmdb", nil)
	if err := os.Truncate(huge, 1<<30+1); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe.mmdb")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		config geoip.Config
		want   string
	}{
		{"no file", geoip.Config{City: filepath.Join(dir, "none.mmdb")}, "no such file"},
		{"a folder", geoip.Config{City: dir}, "is not a file"},
		{"a pipe", geoip.Config{City: pipe}, "is not a file"},
		{"an empty file", geoip.Config{City: put("empty.mmdb", nil)}, "invalid MaxMind DB file"},
		{"half a file", geoip.Config{City: put("half.mmdb", whole[:len(whole)/2])}, "invalid MaxMind DB file"},
		{"only the end of a file", geoip.Config{City: put("end.mmdb", whole[bytes.LastIndex(whole, []byte("\xab\xcd\xefMaxMind.com")):])}, "invalid"},
		{"a file of another sort", geoip.Config{City: put("text.mmdb", []byte("<html>Too many requests</html>"))}, "invalid MaxMind DB file"},
		{"a file that is too large", geoip.Config{City: huge}, "more than"},
		{"a database of networks as one of places", geoip.Config{City: f.asn}, "City method does not support the GeoLite2-ASN"},
		{"a database of places as one of networks", geoip.Config{ASN: f.city}, "ASN method does not support the GeoLite2-City"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := geoip.New(tt.config)
			err := d.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if _, ok := d.Place(addr); ok {
				t.Error("a place is known")
			}
		})
	}
	err = geoip.New(geoip.Config{City: filepath.Join(dir, "none.mmdb"), ASN: f.city}).Open(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ASN method") {
		t.Errorf("not both problems: %v", err)
	}
}

// A file that is of no use is logged once, and the last good one goes on
// answering until the next.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	in(t, path, "one")
	var log bytes.Buffer
	d := open(t, geoip.Config{City: path, Log: slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()), nil))})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps := []struct {
		name   string
		change func()
		want   string
		// lines and problems are what a Reload logs, whether it is the first or
		// the second one after the change.
		lines, problems int
	}{
		{"nothing", func() {}, "one", 0, 0},
		{"a new file", func() { in(t, path, "two") }, "two", 1, 0},
		{"half a file, written in place", func() { overwrite(whole[:len(whole)/2]) }, "two", 1, 1},
		{"the other half", func() { overwrite(whole) }, "one", 1, 0},
		{"an empty file", func() { overwrite(nil) }, "one", 1, 1},
		{"a database of another type", func() { geoiptest.ASN(t, path, nil) }, "one", 1, 1},
		{"no file", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "one", 1, 1},
		{"a file again", func() { in(t, path, "three") }, "three", 1, 0},
		{"moved away", move(path, path+".old"), "three", 1, 1},
		{"and back", move(path+".old", path), "three", 0, 0},
		{"and away again", move(path, path+".old"), "three", 1, 1},
		{"an older file", func() {
			in(t, path, "four")
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}, "four", 1, 0},
	}
	for _, s := range steps {
		log.Reset()
		s.change()
		d.Reload(t.Context())
		d.Reload(t.Context())
		if got := city(d); got != s.want {
			t.Errorf("%s: in %q, want %q", s.name, got, s.want)
		}
		lines, problems := strings.Count(log.String(), "\n"), strings.Count(log.String(), "level=ERROR")
		if lines != s.lines || problems != s.problems {
			t.Errorf("%s: %d lines with %d problems, want %d with %d:\n%s", s.name, lines, problems, s.lines, s.problems, &log)
		}
	}
}

// A file in which records are broken answers nothing, which is not the same as
// no place (rule 8), and says so once.
func TestRule08ABrokenRecordIsNoPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	in(t, path, "somewhere with a long name")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A text that is longer than the file.
	at := bytes.Index(data, []byte("somewhere with a long name"))
	if at < 0 {
		t.Fatal("the name is not in the file")
	}
	for i := at - 2; i < at; i++ {
		data[i] = 0xff
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	d := open(t, geoip.Config{City: path, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))})
	for range 3 {
		if v, ok := d.Context(addr)["geoip"]; v != nil || !ok {
			t.Errorf("geoip is %v, %v", v, ok)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, &log)
	}
}

// Whoever looks up while the file is replaced gets the answer of one file or
// the other.
func TestLookupsWhileTheFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	in(t, path, "even")
	d := open(t, geoip.Config{City: path})
	const readers = 50
	var done atomic.Bool
	var group sync.WaitGroup
	var seen [2]atomic.Int64
	for range readers {
		group.Go(func() {
			for !done.Load() {
				switch got := city(d); got {
				case "even":
					seen[0].Add(1)
				case "odd":
					seen[1].Add(1)
				default:
					t.Errorf("in %q", got)
					return
				}
			}
		})
	}
	defer group.Wait()
	defer done.Store(true)
	for i := range 6 {
		in(t, path, []string{"odd", "even"}[i%2])
		// Until somebody has looked into this file.
		before := seen[(i+1)%2].Load()
		d.Reload(t.Context())
		for deadline := time.Now().Add(10 * time.Second); seen[(i+1)%2].Load() == before && !t.Failed(); {
			if time.Now().After(deadline) {
				t.Fatal("nobody sees the new file")
			}
			runtime.Gosched()
		}
	}
}

func TestWatchTakesUpAFileUntilItEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	in(t, path, "one")
	d := open(t, geoip.Config{City: path})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Watch(ctx, time.Millisecond); close(ended) }()
	in(t, path, "two")
	for deadline := time.Now().Add(10 * time.Second); city(d) != "two"; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the new file is not taken up")
		}
	}
	stop()
	<-ended
	geoip.New(geoip.Config{}).Watch(t.Context(), time.Millisecond) // has nothing to watch
}
