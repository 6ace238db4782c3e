package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Pair is a primary and a standby of a test's own. The primary acknowledges
// nothing that the standby does not have.
type Pair struct {
	// URL names both servers and asks for the one that takes writes.
	URL string

	t                testing.TB
	primary, standby *cluster
	killed           bool
}

// NewPair starts two servers with an empty database. They are gone when the test
// ends. It always starts servers, also where WEIR_TEST_POSTGRES_URL is set.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	installed, err := find()
	if err != nil {
		missing(t, err)
	}
	// Not below t.TempDir, which only the owner may enter.
	dir, err := os.MkdirTemp(home(), "weir-pair-")
	if err != nil {
		t.Fatal(err)
	}
	p := &Pair{t: t}
	t.Cleanup(func() {
		if p.killed {
			_ = p.primary.boot() // which removes the shared memory that was left
		}
		for _, c := range []*cluster{p.primary, p.standby} {
			if c != nil {
				_ = c.run("pg_ctl", "stop", "-D", "data", "-m", "immediate") // it may be dead already
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o711))
	server := func(name string) *cluster {
		c := &cluster{dir: filepath.Join(dir, name), bin: installed.bin, as: installed.as}
		must(os.Mkdir(c.dir, 0o711))
		must(c.makeFolders())
		return c
	}
	p.primary = server("a")
	must(p.primary.makeData("wal_level = replica\nmax_wal_senders = 4\nmax_connections = 100\n"))
	must(p.primary.boot())
	p.standby = server("b")
	must(p.standby.run("pg_basebackup", "-D", "data", "-h", p.primary.sock(), "-U", "weir", "-R", "-X", "stream", "-c", "fast", "--no-sync"))
	must(p.standby.configure(""))
	must(p.standby.boot())
	ctx := context.Background()
	must(command(ctx, p.primary.url(), "alter system set synchronous_standby_names = '*'"))
	must(command(ctx, p.primary.url(), "select pg_reload_conf()"))
	p.URL = "postgres://weir@/postgres?target_session_attrs=read-write&host=" + url.QueryEscape(p.primary.sock()+","+p.standby.sock())
	p.wait("the standby is synchronous", p.primary, "select 1 / (count(*))::int from pg_stat_replication where sync_state = 'sync'")
	return p
}

// KillPrimary ends the primary as a power cut does.
func (p *Pair) KillPrimary() {
	p.t.Helper()
	said, err := os.ReadFile(filepath.Join(p.primary.dir, "data", "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(said), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.killed = true
}

// Promote makes the standby the primary.
func (p *Pair) Promote() {
	p.t.Helper()
	if err := p.standby.run("pg_ctl", "promote", "-w", "-D", "data"); err != nil {
		p.t.Fatal(err)
	}
}

// wait repeats a statement until it succeeds.
func (p *Pair) wait(what string, c *cluster, sql string) {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := command(p.t.Context(), c.url(), sql)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatal(fmt.Errorf("%s: not within a minute: %w", what, err))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
