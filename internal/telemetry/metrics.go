package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the measurements of one server. Label values come from fixed
// sets: route patterns, stage types, methods, status codes. Nothing that a
// person can type is ever one (rule 48).
type Metrics struct {
	// Requests counts and times HTTP requests by route, method and status.
	Requests *prometheus.HistogramVec
	// InFlight is the number of requests being answered.
	InFlight prometheus.Gauge
	// Plan times the planning of flows.
	Plan prometheus.Histogram
	// Stage times the execution of stages by stage_type and method.
	Stage *prometheus.HistogramVec
	// Hash times the hashing of passwords, waiting excluded.
	Hash prometheus.Histogram
	// Repeats counts submits that were answered with the result of an
	// identical one.
	Repeats prometheus.Counter
	// Refused counts guesses that were refused unseen, by what had too many:
	// account, address or device.
	Refused *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	fast := prometheus.ExponentialBuckets(50e-6, 4, 9) // 50 us to 3.3 s
	m := &Metrics{
		Requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_http_request_duration_seconds", Help: "Time to answer an HTTP request.", Buckets: prometheus.DefBuckets,
		}, []string{"route", "method", "status"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "weir_http_requests_in_flight", Help: "HTTP requests being answered.",
		}),
		Plan: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_flow_plan_duration_seconds", Help: "Time to plan a flow.", Buckets: fast,
		}),
		Stage: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_flow_stage_duration_seconds", Help: "Time a stage took.", Buckets: fast,
		}, []string{"stage_type", "method"}),
		Hash: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_password_hash_duration_seconds", Help: "Time to hash a password.",
			Buckets: prometheus.ExponentialBuckets(5e-3, 2, 10),
		}),
		Repeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_flow_repeated_submits_total", Help: "Submits answered with the result of an identical one.",
		}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_guesses_refused_total", Help: "Guesses of secrets refused after too many wrong ones.",
		}, []string{"kind"}),
	}
	reg.MustRegister(m.Requests, m.InFlight, m.Plan, m.Stage, m.Hash, m.Repeats, m.Refused)
	return m
}

// WatchHashQueue registers a gauge of the passwords that wait to be hashed.
func WatchHashQueue(reg prometheus.Registerer, waiting func() int) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "weir_password_hash_queue", Help: "Passwords waiting to be hashed.",
	}, func() float64 { return float64(waiting()) }))
}

// ObserveRequest records one request. pattern is the route's pattern, "" when
// none matched.
func (m *Metrics) ObserveRequest(pattern, method string, status int, d time.Duration) {
	if pattern == "" {
		pattern = "none"
	}
	m.Requests.WithLabelValues(pattern, methodLabel(method), statusLabel(status)).Observe(d.Seconds())
}

// ObservePlan records the planning of a flow.
func (m *Metrics) ObservePlan(_ string, d time.Duration) { m.Plan.Observe(d.Seconds()) }

// ObserveStage records the execution of a stage.
func (m *Metrics) ObserveStage(stageType string, answer bool, d time.Duration) {
	method := http.MethodGet
	if answer {
		method = http.MethodPost
	}
	m.Stage.WithLabelValues(stageType, method).Observe(d.Seconds())
}

// methodLabel keeps invented methods out of the labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

func statusLabel(status int) string {
	switch {
	case status >= 500:
		return "5xx"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	}
	return "2xx"
}
