package expression_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/expression/python"
	"github.com/weir-id/weir/policy"
)

// FuzzRun compiles bodies and runs them within tight limits. Nothing fails
// inside, every error of a body has a line, and no body takes more than it may
// have.
func FuzzRun(f *testing.F) {
	for _, b := range append(bombs(f), bodies(f)...) {
		f.Add(b.text)
	}
	e := expression.Env{Limits: expression.Limits{Steps: 50_000, Elements: 10_000, Bytes: 1 << 20, Messages: 10}}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := expression.Compile("body", body, e)
		if err != nil {
			var x *python.Error
			if !errors.As(err, &x) || x.Line < 1 || x.Message == "" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		// The deadline only saves the run; limits end a body before.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := p.Run(ctx, expression.Scope{Request: &policy.Request{User: ann(), HTTP: &policy.HTTPRequest{}, Context: map[string]any{}}, Policy: true})
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 && !raceEnabled {
			t.Errorf("%q: %d MB allocated on the way", body, used>>20)
		}
		if ctx.Err() != nil {
			t.Errorf("%q ended by the clock", body)
		}
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Errorf("%q: %v", body, err)
		}
		if err != nil && (v.True || !v.Writes.Empty()) {
			t.Errorf("%q errs and passes or writes all the same: %+v", body, v)
		}
	})
}
