package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/weir-id/weir/field"
)

// CodeThrottled marks an answer that was not looked at.
const CodeThrottled = "throttled"

// Refusal is what people are told about a *LimitedError: the same whether the
// account exists or not. Nil for any other error.
func Refusal(err error) field.Errors {
	var limited *LimitedError
	if !errors.As(err, &limited) {
		return nil
	}
	n, unit, id := whole(limited.Wait, time.Second), "second", "guard.seconds"
	if limited.Wait > time.Minute {
		n, unit, id = whole(limited.Wait, time.Minute), "minute", "guard.minutes"
	}
	if n != 1 {
		unit += "s"
	}
	return field.Errors{field.NonField: {{Code: CodeThrottled, Message: id, Count: n,
		String: fmt.Sprintf("Too many attempts. Wait %d %s, or use another way.", n, unit)}}}
}

// whole rounds up, so that nobody comes too early.
func whole(d, unit time.Duration) int { return max(1, int((d+unit-1)/unit)) }
