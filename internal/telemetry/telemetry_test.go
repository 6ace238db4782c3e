package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-id/weir/internal/request"
)

func TestLogLinesCarryTheRequest(t *testing.T) {
	var out strings.Builder
	log := NewLogger(&out, slog.LevelInfo, true).With("component", "test")
	ctx := request.With(context.Background(), &request.Info{ID: "abc", Origin: request.Origin{Client: netip.MustParseAddr("192.0.2.1")}})
	log.DebugContext(ctx, "not written")
	log.InfoContext(ctx, "hello")
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	for key, want := range map[string]string{"request_id": "abc", "client": "192.0.2.1", "component": "test", "msg": "hello"} {
		if line[key] != want {
			t.Errorf("%s = %v, want %s", key, line[key], want)
		}
	}
}

func TestRule48LogLinesCannotBeForged(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		var out strings.Builder
		NewLogger(&out, slog.LevelInfo, asJSON).Info("typed", "username", "x\r\nlevel=ERROR msg=forged")
		if n := strings.Count(out.String(), "\n"); n != 1 || strings.Contains(out.String(), "\r") {
			t.Errorf("json %v: one line became %q", asJSON, out.String())
		}
	}
}

func TestRule48LabelsComeFromFixedSets(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	for i := range 100 {
		m.ObserveRequest("", fmt.Sprintf("METHOD%d", i), 200+i%4*100, time.Millisecond)
		m.ObservePlan(fmt.Sprintf("slug-%d", i), time.Millisecond)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if len(f.GetMetric()) > 4 {
			t.Errorf("%s has %d series after made-up requests", f.GetName(), len(f.GetMetric()))
		}
	}
}
