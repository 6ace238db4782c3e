package dummy_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/policies/dummy"
	"github.com/weir-id/weir/policy"
)

func TestDummy(t *testing.T) {
	rows := []struct {
		name     string
		config   dummy.Config
		deadline time.Duration
		want     policy.Verdict
		least    time.Duration
		most     time.Duration
	}{
		{"passes at once", dummy.Config{Result: true}, time.Minute, policy.Pass, 0, 0},
		{"fails at once", dummy.Config{}, time.Minute, policy.Fail, 0, 0},
		{"waits between the bounds", dummy.Config{Result: true, WaitMin: 2, WaitMax: 4}, time.Minute, policy.Pass, 2 * time.Second, 4 * time.Second},
		{"waits exactly where the bounds are equal", dummy.Config{Result: true, WaitMin: 3, WaitMax: 3}, time.Minute, policy.Pass, 3 * time.Second, 3 * time.Second},
		{"a wait that is cut off is no answer", dummy.Config{Result: true, WaitMin: 60, WaitMax: 60}, time.Second, policy.Error, time.Second, time.Second},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				typ := dummy.Type()
				p, err := typ.Build("p", &row.config)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				got := (&policy.Object{Name: "p", Policy: p}).Evaluate(context.Background(), &policy.Request{}, row.deadline)
				if waited := time.Since(begin); waited < row.least || waited > row.most {
					t.Errorf("waited %v, want %v to %v", waited, row.least, row.most)
				}
				if got.Verdict != row.want {
					t.Errorf("verdict %v, want %v", got.Verdict, row.want)
				}
				if row.want != policy.Error && (len(got.Messages) != 1 || got.Messages[0] != "dummy") {
					t.Errorf("messages %q", got.Messages)
				}
			})
		})
	}
}

func TestDefaultsAndBounds(t *testing.T) {
	typ := dummy.Type()
	if c := typ.Defaults().(*dummy.Config); c.Result || c.WaitMin != 5 || c.WaitMax != 30 {
		t.Errorf("defaults %+v", c)
	}
	for name, data := range map[string]map[string]any{"wait_min": {"wait_min": -1}, "wait_max": {"wait_min": 10, "wait_max": 9}} {
		if _, errs := field.Decode(typ.Defaults(), data, field.Create); errs[name] == nil {
			t.Errorf("%v is accepted", data)
		}
	}
}
