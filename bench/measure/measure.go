// Package measure has benchmarks report processor time. The clock grows while
// others use the machine; the time that the threads of a process have run does
// not.
package measure

import (
	"syscall"
	"testing"
	"time"
)

// CPUTime is the processor time that this process has used so far, of all its
// threads.
func CPUTime(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// CPU runs f as a benchmark, reports the processor time of one call as
// cpu-us/op, the garbage collector's included, and returns it.
func CPU(b *testing.B, f func()) time.Duration {
	b.Helper()
	b.ReportAllocs()
	begin := time.Duration(-1)
	for b.Loop() {
		if begin < 0 {
			begin = CPUTime(b)
		}
		f()
	}
	each := (CPUTime(b) - begin) / time.Duration(b.N)
	b.ReportMetric(Microseconds(each), "cpu-us/op")
	return each
}

// Microseconds is d as a metric.
func Microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
