package authenticator

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// Judgement is what became of an answer.
type Judgement struct {
	// Device is the one that accepted it; nil for none.
	Device *Device
	// Wait is set when no device looked at the answer, because of wrong ones before:
	// how long until the first of them does.
	Wait time.Duration
}

// Unlimited is the factor of devices whose answers cannot be guessed.
const Unlimited = -1

// Judge has check look at the devices with the ids, one after the other, until one
// accepts. It is the only door to them (rule 31). What check does to that device
// is stored, so that the same answer is refused from then on; an answer that none
// accepts is counted at every device that looked at it. Reading, judging and counting are one
// transaction, with nobody else at the devices, which is over before anybody learns
// the result: guesses that come at once count one by one (rule 32).
//
// factor gives the throttling factor of a class: after n wrong answers in a row a
// device looks at none for factor × 2^(n-1) seconds. check may be repeated, with
// devices read anew, and only calculates.
func (s *Devices) Judge(ctx context.Context, ids []int64, factor func(class string) float64, check func(d *Device, now time.Time) (bool, error)) (Judgement, error) {
	var j Judgement
	err := s.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		j = Judgement{}
		found, err := s.lock(ctx, tx, ids)
		if err != nil {
			return err
		}
		now := s.Now().UTC() // once the rows are ours
		var waits []time.Duration
		var wrong []*Device
		for i := range found {
			d := &found[i]
			f := factor(d.Class)
			if !d.Confirmed {
				continue
			}
			if w := d.wait(f, now); w > 0 {
				waits = append(waits, w)
				continue
			}
			before := *d
			ok, err := check(d, now)
			if err != nil {
				return err
			}
			if ok {
				d.Failures, d.Failed, d.LastUsed = 0, nil, &now
				j.Device = d
				return s.save(ctx, tx, d)
			}
			if *d = before; f >= 0 {
				wrong = append(wrong, d)
			}
		}
		for _, d := range wrong {
			d.Failures++
			d.Failed = &now
			if err := s.save(ctx, tx, d); err != nil {
				return err
			}
		}
		if len(waits) > 0 && len(waits) == len(found) {
			j.Wait = slices.Min(waits)
		}
		return nil
	})
	if err != nil {
		return Judgement{}, fmt.Errorf("judge an answer: %w", err)
	}
	return j, nil
}

// The limits that hold whatever the factor: codes are short, so nobody may try for
// ever at full speed.
const (
	// free wrong answers have no wait but that of the factor.
	free = 10
	// firstWait is that of the next one; each further one doubles it.
	firstWait = 5 * time.Second
	// longestFloor is the longest wait that no factor asked for.
	longestFloor = 5 * time.Minute
	// longest is the longest wait of all: whoever has somebody's password must not be
	// able to lock them out for good. A factor of more than that is the wait itself.
	longest = time.Hour
)

// wait is how long the device looks at no answer.
func (d *Device) wait(factor float64, now time.Time) time.Duration {
	if factor < 0 || d.Failures == 0 || d.Failed == nil {
		return 0
	}
	return max(0, d.Failed.Add(throttle(factor, d.Failures)).Sub(now))
}

func throttle(factor float64, failures int) time.Duration {
	floor := time.Duration(0)
	if failures > free {
		floor = double(firstWait.Seconds(), failures-free-1, longestFloor)
	}
	return max(floor, double(factor, failures-1, max(longest, seconds(factor))))
}

// double is first seconds, doubled n times, at most most.
func double(first float64, n int, most time.Duration) time.Duration {
	return min(most, seconds(math.Ldexp(first, n)))
}

// seconds does not overflow.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, (100*365*24*time.Hour).Seconds()) * float64(time.Second))
}
