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
	// refused counts requests that were told to try again, by reason.
	refused *prometheus.CounterVec
	// Plan times the planning of flows.
	Plan prometheus.Histogram
	// Stage times the execution of stages by stage_type and method.
	Stage *prometheus.HistogramVec
	// Hash times the hashing of passwords, waiting excluded.
	Hash prometheus.Histogram
	// Repeats counts submits that were answered with the result of an
	// identical one.
	Repeats prometheus.Counter
	// GuessesRefused counts guesses that were refused unseen, by what had too many:
	// account, address or device.
	GuessesRefused *prometheus.CounterVec
	// MailsRefused counts mails that were not queued, by what had too many:
	// mail_account, mail_address, mail_client, mail_again or mail_notice.
	MailsRefused *prometheus.CounterVec
	// Mails times the tries to hand a mail to the server, by purpose and by the
	// state that the mail has afterwards: queued means that it is tried again.
	Mails *prometheus.HistogramVec
	// notifications counts notifications by mode of transport and result.
	notifications *prometheus.CounterVec
}

// Refusal is why a request was told to try again.
type Refusal string

// The places that can be full.
const (
	// RefusedRequests: as many requests are being answered as may be.
	RefusedRequests Refusal = "requests"
	// RefusedClient: one address has as many of them as it may.
	RefusedClient Refusal = "client"
	// RefusedRate: one address asks more often than it may.
	RefusedRate Refusal = "rate"
	// RefusedProbes: too many probes and scrapes at once.
	RefusedProbes Refusal = "probes"
	// RefusedHash: a password could not be hashed in time.
	RefusedHash Refusal = "hash"
)

// Refused counts a request that was told to try again.
func (m *Metrics) Refused(reason Refusal) { m.refused.WithLabelValues(string(reason)).Inc() }

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
		GuessesRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_guesses_refused_total", Help: "Guesses of secrets refused after too many wrong ones.",
		}, []string{"kind"}),
		MailsRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_mails_refused_total", Help: "Mails refused after too many.",
		}, []string{"kind"}),
		Mails: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_mail_send_duration_seconds", Help: "Time of a try to hand a mail to the server.",
			Buckets: prometheus.ExponentialBuckets(10e-3, 3, 8), // to 22 s
		}, []string{"purpose", "state"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_notifications_total", Help: "Notifications, by mode of transport and whether they were delivered.",
		}, []string{"mode", "result"}),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_refused_total", Help: "Requests told to try again later, by what was full.",
	}, []string{"reason"})
	for _, reason := range []Refusal{RefusedRequests, RefusedClient, RefusedRate, RefusedProbes, RefusedHash} {
		m.refused.WithLabelValues(string(reason))
	}
	reg.MustRegister(m.Requests, m.InFlight, m.refused, m.Plan, m.Stage, m.Hash, m.Repeats, m.GuessesRefused, m.MailsRefused, m.Mails, m.notifications)
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

// ObserveNotification records a notification that was delivered, or given up,
// by the mode of its transport.
func (m *Metrics) ObserveNotification(mode string, ok bool) {
	result := "delivered"
	if !ok {
		result = "failed"
	}
	m.notifications.WithLabelValues(mode, result).Inc()
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
