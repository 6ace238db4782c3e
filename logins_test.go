package weir

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/bench/measure"
)

// loginsAtOnce has n browsers sign in at the same time and waits for all. One
// that is asked to come back does so when patient is true.
func loginsAtOnce(t testing.TB, site *Server, n int, patient bool) {
	t.Helper()
	var all sync.WaitGroup
	failed := make(chan error, n)
	for range n {
		all.Go(func() {
			_, err := measure.Login(site, func(int) context.Context { return t.Context() })
			for patient && errors.Is(err, measure.ErrBusy) {
				_, err = measure.Login(site, func(int) context.Context { return t.Context() })
			}
			if err != nil {
				failed <- err
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		// Far more than it takes: readers and the writer wait for each other.
		t.Fatalf("%d logins at once do not come to an end", n)
	}
	close(failed)
	for err := range failed {
		t.Error(err)
	}
}

// TestManyLoginsAtOnce has up to 32 browsers sign in together: none of them
// sees an error, none waits for ever, and each has a session in the end.
func TestManyLoginsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = measure.Password
		site := start(t, s)
		sessions := 0
		for _, n := range []int{1, 8, 32} {
			loginsAtOnce(t, site, n, false)
			sessions += n
			if got, err := site.CountSessions(t.Context(), 1); err != nil || got != sessions {
				t.Errorf("%d sessions after %d logins at once (%v), want %d", got, n, err, sessions)
			}
		}
	})
}

// BenchmarkLoginsAtOnce measures the throughput of logins with the hashing of
// new installations, which is bounded to one hash for each core.
func BenchmarkLoginsAtOnce(b *testing.B) {
	for _, n := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := settings(b)
			s.Bootstrap.Password, s.Hashing = measure.Password, DefaultSettings().Hashing
			site := assembled(b, s)
			begin := time.Now()
			each := measure.CPU(b, func() { loginsAtOnce(b, site, n, true) })
			b.ReportMetric(measure.Microseconds(each)/float64(n), "cpu-us/login")
			b.ReportMetric(float64(n*b.N)/time.Since(begin).Seconds(), "logins/s")
		})
	}
}
