package storetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Line is the network between a program and its PostgreSQL: a TCP proxy that a
// test cuts and mends.
type Line struct {
	// URL leads to the database through the line.
	URL string

	t               testing.TB
	network, target string
	address         string
	mu              sync.Mutex
	listener        net.Listener
	conns           map[net.Conn]bool
	silent          bool
	spoken          *sync.Cond
	workers         sync.WaitGroup
}

// NewLine returns a line to the database at target that works. It is gone when
// the test ends.
func NewLine(t testing.TB, target string) *Line {
	t.Helper()
	cfg, err := pgconn.ParseConfig(target)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{t: t, conns: map[net.Conn]bool{}}
	l.spoken = sync.NewCond(&l.mu)
	l.network, l.target = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	// An address of its own: nobody takes the port while nothing listens.
	l.address = fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	l.Mend()
	l.address = l.listener.Addr().String()
	q := u.Query()
	q.Del("host")
	u.Host, u.RawQuery = l.address, q.Encode()
	l.URL = u.String()
	t.Cleanup(func() { l.Cut(); l.workers.Wait() })
	return l
}

// Cut ends all connections and refuses new ones.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close()
		l.listener = nil
	}
	l.silent = false
	l.spoken.Broadcast()
	for c := range l.conns {
		_ = c.Close()
	}
}

// Silence swallows everything without a word: connections stay, and new ones
// are taken, but no byte passes.
func (l *Line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = true
}

// Mend makes the line work again. What was held back passes.
func (l *Line) Mend() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = false
	l.spoken.Broadcast()
	if l.listener != nil {
		return
	}
	var err error
	if l.listener, err = net.Listen("tcp", l.address); err != nil {
		l.t.Fatalf("mend the line: %v", err)
	}
	listener := l.listener
	l.workers.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.workers.Go(func() { l.carry(c) })
		}
	})
}

// carry connects one client.
func (l *Line) carry(client net.Conn) {
	defer l.hold(client)()
	l.wait()
	server, err := net.Dial(l.network, l.target)
	if err != nil {
		return
	}
	defer l.hold(server)()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			defer way[0].Close()
			defer way[1].Close()
			buf := make([]byte, 32<<10)
			for {
				n, err := way[0].Read(buf)
				l.wait()
				if _, failed := way[1].Write(buf[:n]); err != nil || failed != nil {
					return
				}
			}
		})
	}
	both.Wait()
}

// wait returns when the line is not silent.
func (l *Line) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.silent {
		l.spoken.Wait()
	}
}

// hold keeps a connection for Cut. The function closes it.
func (l *Line) hold(conn net.Conn) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == nil {
		_ = conn.Close()
	}
	l.conns[conn] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, conn)
		_ = conn.Close()
	}
}

// With adds a parameter to the URL of a database.
func With(base, name, value string) string {
	join := "?"
	if strings.Contains(base, "?") {
		join = "&"
	}
	return base + join + name + "=" + url.QueryEscape(value)
}
