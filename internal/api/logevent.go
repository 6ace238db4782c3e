package api

import "time"

// logEvent is a line of a log as the API shows it.
type logEvent struct {
	Timestamp  time.Time      `json:"timestamp" field:"required"`
	Level      LogLevel       `json:"log_level" field:"required"`
	Logger     string         `json:"logger" field:"required"`
	Event      string         `json:"event" field:"required"`
	Attributes map[string]any `json:"attributes" field:"required"`
}

// LogLevel says how grave a line of a log is.
type LogLevel string

const (
	logInfo    LogLevel = "info"
	logWarning LogLevel = "warning"
	logError   LogLevel = "error"
)

// Choices lists the levels.
func (LogLevel) Choices() []string {
	return []string{"critical", "exception", "error", "warn", "warning", "info", "debug", "notset"}
}
