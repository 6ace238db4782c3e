package geoip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/oschwald/geoip2-golang/v2"
)

// maxBytes bounds a file; the largest that MaxMind sells have some hundred MB.
const maxBytes = 1 << 30

// database is one file and what was last read of it. A nil one has no file.
type database struct {
	path  string
	check func(*geoip2.Reader) error
	log   *slog.Logger

	// reader is nil until the file was read. A replaced one stays valid for
	// those who still use it.
	reader atomic.Pointer[geoip2.Reader]
	// faulty tells that a record of the reader could not be read.
	faulty atomic.Bool

	// loading guards what follows.
	loading sync.Mutex
	// seen is the file that was judged last, problem what was last logged and
	// goes on.
	seen    os.FileInfo
	problem string
}

func newDatabase(name, path string, log *slog.Logger, check func(*geoip2.Reader) error) *database {
	if path == "" {
		return nil
	}
	return &database{path: path, check: check, log: log.With(slog.String("database", name), slog.String("file", path))}
}

// lookup finds the record of an address; false means that there is none.
func lookup[T any](d *database, ip netip.Addr, find func(*geoip2.Reader, netip.Addr) (*T, error)) (*T, bool) {
	if d == nil || !ip.IsValid() {
		return nil, false
	}
	r := d.reader.Load()
	if r == nil {
		return nil, false
	}
	record, err := find(r, ip.Unmap())
	if err != nil {
		// Such a file has more of these records, so one line is enough.
		if !d.faulty.Swap(true) {
			d.log.Error("record of geoip database not read", slog.Any("error", err))
		}
		return nil, false
	}
	return record, true
}

func (d *database) open(ctx context.Context) error {
	if d == nil {
		return nil
	}
	d.loading.Lock()
	defer d.loading.Unlock()
	return d.load(ctx)
}

func (d *database) reload(ctx context.Context) {
	if d == nil {
		return
	}
	d.loading.Lock()
	defer d.loading.Unlock()
	now, err := os.Stat(d.path)
	if err == nil {
		if d.seen != nil && same(d.seen, now) {
			d.problem = "" // that it was away is over
			return
		}
		err = d.load(ctx)
	}
	// The same problem is told once.
	if err != nil && err.Error() != d.problem {
		d.problem = err.Error()
		d.log.ErrorContext(ctx, "geoip database not replaced", slog.Any("error", err))
	}
}

// same tells whether a file is still the one that was seen: neither replaced
// nor written to.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// errWriting means that a file changed while it was read.
var errWriting = errors.New("the file is being written to")

// load makes the file the one that is used. A file with the wrong content waits
// for its next change; one that could not be read is tried again.
func (d *database) load(ctx context.Context) error {
	data, info, err := read(d.path)
	if err != nil {
		return fmt.Errorf("read geoip database: %w", err)
	}
	d.seen = info
	r, err := geoip2.OpenBytes(data)
	if err == nil {
		err = d.check(r)
	}
	if err != nil {
		return fmt.Errorf("read geoip database %s: %w", d.path, err)
	}
	d.reader.Store(r)
	d.faulty.Store(false)
	d.problem = ""
	d.log.InfoContext(ctx, "geoip database read", slog.String("type", r.Metadata().DatabaseType), slog.Time("built", r.Metadata().BuildTime().UTC()))
	return nil
}

// read returns a file as a whole.
func read(path string) ([]byte, os.FileInfo, error) {
	// A pipe would not let itself be opened.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if before.Size() > maxBytes {
		return nil, nil, fmt.Errorf("%s has more than %d bytes", path, maxBytes)
	}
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !same(before, after) {
		return nil, nil, fmt.Errorf("%s: %w", path, errWriting)
	}
	return data, before, nil
}
