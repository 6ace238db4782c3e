package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNoPostgres = errors.New("PostgreSQL is not installed (looked for /usr/lib/postgresql/*/bin/postgres) and WEIR_TEST_POSTGRES_URL is not set")

// cluster is the throwaway server. Its folder holds
//
//	users.lock  locked (shared) by every process that uses the server; the
//	            kernel frees it when the process ends, in whatever way
//	start.lock  locked (exclusive) by the process that is starting it
//	data, sock  the server's own
//
// A shell script looks once a minute whether users.lock is free, and if so stops
// the server. It listens on a Unix socket only: no port can be taken, and the
// folder's mode keeps other people out.
type cluster struct {
	dir, bin string
	as       *syscall.Credential // nil: ourselves
}

// startCluster returns the URL of the running server.
func startCluster() (string, error) {
	c, err := find()
	if err != nil {
		return "", err
	}
	if err := c.lock("users.lock", syscall.LOCK_SH, nil); err != nil {
		return "", err
	}
	err = c.lock("start.lock", syscall.LOCK_EX, func() error {
		if c.answers() {
			return nil
		}
		return c.start()
	})
	if err != nil {
		return "", fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	return c.url(), nil
}

func find() (*cluster, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return nil, err
	}
	newest, c := 0, &cluster{}
	for _, path := range found {
		bin := filepath.Dir(path)
		major, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err == nil && major > newest {
			newest, c.bin = major, bin
		}
	}
	if newest == 0 {
		return nil, errNoPostgres
	}
	uid, mode := os.Geteuid(), os.FileMode(0o700)
	if uid == 0 {
		// The server refuses to run as root; its user must reach the data.
		mode = 0o711
		if c.as, err = credential("postgres"); err != nil {
			return nil, err
		}
	}
	c.dir = filepath.Join(home(), fmt.Sprintf("weir-postgres-%d-%d", uid, newest))
	if err := os.Mkdir(c.dir, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	// Somebody else could have made a folder of this name in a shared /tmp.
	info, err := os.Lstat(c.dir)
	if err != nil {
		return nil, err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(s.Uid) != uid || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s is not a folder of ours alone", c.dir)
	}
	return c, nil
}

// home is where the server's folder stands: in memory where there is plenty,
// which makes a database in a quarter of the time that a disk takes. It asks for
// the size and not for what is free, so that all processes come to one answer.
func home() string {
	const shm, plenty = "/dev/shm", 4 << 30
	var s syscall.Statfs_t
	if err := syscall.Statfs(shm, &s); err == nil && s.Blocks*uint64(s.Bsize) >= plenty {
		return shm
	}
	return os.TempDir()
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("run PostgreSQL as another user than root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// lock takes a lock for the time of fn, or without fn for the life of the process.
func (c *cluster) lock(name string, how int, fn func() error) error {
	fd, err := syscall.Open(filepath.Join(c.dir, name), syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	for {
		if err = syscall.Flock(fd, how); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	if fn == nil {
		return nil
	}
	defer syscall.Close(fd)
	return fn()
}

func (c *cluster) sock() string { return filepath.Join(c.dir, "sock") }

func (c *cluster) url() string { return "postgres://weir@/postgres?host=" + url.QueryEscape(c.sock()) }

func (c *cluster) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url())
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

// start makes a new server. What a stopped one left is not used again: it ran
// without fsync, and may hold the databases of tests that were killed.
func (c *cluster) start() error {
	if _, err := os.Stat(filepath.Join(c.dir, "data", "postmaster.pid")); err == nil {
		_ = c.run("pg_ctl", "stop", "-D", "data", "-m", "immediate") // it may be dead already
	}
	if err := c.makeFolders(); err != nil {
		return err
	}
	err := c.makeData("max_connections = 400\nsynchronous_commit = off\nwal_level = minimal\nmax_wal_senders = 0\n")
	if err != nil {
		return err
	}
	if err := c.boot(); err != nil {
		return err
	}
	return c.watch()
}

// makeFolders makes empty folders for the data and the socket.
func (c *cluster) makeFolders() error {
	for _, name := range []string{"data", "sock"} {
		dir := filepath.Join(c.dir, name)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if c.as == nil {
			continue
		}
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// makeData makes the data of a server with these settings.
func (c *cluster) makeData(settings string) error {
	// A linguistic default order, so that a column that misses collate "C" shows.
	if err := c.run("initdb", "-D", "data", "-U", "weir", "-A", "trust", "-E", "UTF8", "--no-sync",
		"--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"); err != nil {
		return err
	}
	return c.configure("listen_addresses = ''\nfsync = off\nfull_page_writes = off\ntimezone = 'America/New_York'\n" + settings)
}

// configure adds settings, of which the last one of a name counts.
func (c *cluster) configure(settings string) error {
	conf, err := os.OpenFile(filepath.Join(c.dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conf, "\nunix_socket_directories = '%s'\n%s", c.sock(), settings)
	return errors.Join(err, conf.Close())
}

// boot starts the server over its data.
func (c *cluster) boot() error {
	return c.run("pg_ctl", "start", "-w", "-s", "-D", "data", "-l", filepath.Join("data", "log"))
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.as}
	return cmd
}

func (c *cluster) run(tool string, args ...string) error {
	out, err := os.CreateTemp("", "weir-postgres-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	// A file and not a pipe: the server inherits it, and a pipe would be
	// waited for until the server ends.
	cmd := c.command(filepath.Join(c.bin, tool), args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", tool, err, said)
	}
	return nil
}

// watch starts the script that stops the server when it is idle. Exit code 75
// says that the lock is held; anything else ends the script.
func (c *cluster) watch() error {
	const script = `while sleep 60; do
  flock -n -x -E 75 users.lock "$1" stop -D data -m immediate -s
  [ $? -eq 75 ] || exit
done`
	cmd := c.command("sh", "-c", script, "weir-postgres", filepath.Join(c.bin, "pg_ctl"))
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
