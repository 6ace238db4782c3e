package mail

import (
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/directory"
)

// StageConfig is what all stages that send mails have in their configuration; embed
// it.
type StageConfig struct {
	// UseGlobalSettings sends through the mail server of the installation; else
	// through the one of the next fields.
	UseGlobalSettings bool   `json:"use_global_settings"`
	Host              string `json:"host" field:"max=255"`
	Port              int32  `json:"port" field:"min=1,max=65535"`
	Username          string `json:"username" field:"blank,max=1024"`
	Password          string `json:"password" field:"secret,blank,notrim,max=1024"`
	// UseTLS asks for STARTTLS, UseSSL is TLS from the first byte.
	UseTLS bool `json:"use_tls"`
	UseSSL bool `json:"use_ssl"`
	// Timeout bounds the conversation with the server, in seconds.
	Timeout     int32  `json:"timeout" field:"min=1,max=60"`
	FromAddress string `json:"from_address" field:"format=email,max=254"`

	// TokenExpiry is how long the link or code holds.
	TokenExpiry field.Duration `json:"token_expiry"`
	Subject     string         `json:"subject" field:"max=900"`
	// Template is the name of a template, such as email/password_reset.html.
	Template string `json:"template" field:"max=1024"`
}

// NewStageConfig returns the defaults, for a subject and a template.
func NewStageConfig(subject, template string) StageConfig {
	return StageConfig{Host: "localhost", Port: 25, Timeout: 10, FromAddress: "system@authentik.local", TokenExpiry: "minutes=30", Subject: subject, Template: template}
}

// maxExpiry bounds durations: a link in a mail is as good as a password.
const maxExpiry = 30 * 24 * time.Hour

// Validate refuses what no mail can be sent with.
func (c *StageConfig) Validate() field.Errors {
	switch {
	case c.UseTLS && c.UseSSL:
		return field.Errorf("use_ssl", field.CodeInvalid, "Choose one of use_tls (STARTTLS) and use_ssl (TLS from the first byte).")
	case c.TokenExpiry.Duration() <= 0 || c.TokenExpiry.Duration() > maxExpiry:
		return field.Errorf("token_expiry", field.CodeInvalid, "Enter a duration of at most 30 days, like minutes=30.")
	case !directory.ValidEmail(c.FromAddress):
		return field.Errorf("from_address", field.CodeInvalid, "Enter an e-mail address, like name@example.com.")
	case strings.ContainsAny(c.Subject, "\r\n"):
		return field.Errorf("subject", field.CodeInvalid, "Enter a subject of one line.")
	}
	return nil
}

// Via is the stage's own mail server, nil for that of the installation.
func (c *StageConfig) Via() *Via {
	if c.UseGlobalSettings {
		return nil
	}
	return &Via{Host: c.Host, Port: int(c.Port), User: c.Username, Password: c.Password, Implicit: c.UseSSL, Plain: !c.UseSSL && !c.UseTLS,
		From: c.FromAddress, Timeout: time.Duration(c.Timeout) * time.Second}
}
