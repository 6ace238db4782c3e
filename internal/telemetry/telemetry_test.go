package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

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
		const typed = "x\r\nlevel=ERROR msg=forged\x00\x1b\x7f\u0085\u009b\u2028 é"
		log := NewLogger(&out, slog.LevelInfo, asJSON)
		log.With(typed, typed).Info(typed, "username", typed, typed, errors.New(typed))
		line, more := strings.CutSuffix(out.String(), "\n")
		if !more || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == 0x2028 }) {
			t.Errorf("json %v: one line became %q", asJSON, out.String())
		}
		if !asJSON {
			continue
		}
		var read map[string]string
		if err := json.Unmarshal([]byte(line), &read); err != nil || read["username"] != typed || read["msg"] != typed {
			t.Errorf("the line reads as %q: %v", read, err)
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
	reasons := []Refusal{RefusedRequests, RefusedClient, RefusedRate, RefusedProbes, RefusedHash}
	for _, reason := range reasons {
		m.Refused(reason)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if len(f.GetMetric()) > len(reasons) {
			t.Errorf("%s has %d series after made-up requests", f.GetName(), len(f.GetMetric()))
		}
	}
}
