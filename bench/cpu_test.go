package bench

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time that this process has used so far, of all its
// threads: unlike the clock it does not grow while others use the machine.
func cpuTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f as a benchmark and reports the processor time of one call,
// the garbage collector's included.
func measure(b *testing.B, f func()) {
	b.ReportAllocs()
	begin := time.Duration(-1)
	for b.Loop() {
		if begin < 0 {
			begin = cpuTime(b)
		}
		f()
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(b.N), "cpu-us/op")
}
