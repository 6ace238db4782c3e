package stages_test

import (
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/stages"
)

// Every kind of device says by which method it confirms, and makes a password two
// factors.
func TestRule26EachKindRaisesAssurance(t *testing.T) {
	kinds := stages.Kinds(stages.KindEnv{})
	for _, k := range kinds {
		class, methods := k.Type().Class, k.Type().Methods
		a := flow.Assure([]flow.Proof{{Fact: flow.FactPassword, User: 7, Channel: "inbuilt", Methods: []string{flow.MethodPassword}, At: time.Now()},
			{Fact: flow.FactSecondFactor, User: 7, Channel: class, Methods: methods, At: time.Now()}}, 7)
		if len(methods) == 0 || len(a.AMR) < 3 || a.ACR != identity.TwoFactors {
			t.Errorf("%s stands for %v, a password and it for %+v", class, methods, a)
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only %d kinds", len(kinds))
	}
}
