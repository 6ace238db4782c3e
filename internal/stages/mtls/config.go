package mtls

import "github.com/google/uuid"

// Mode says what happens to people without a certificate.
type Mode string

// The modes on the wire.
const (
	// Optional lets them go on.
	Optional Mode = "optional"
	// Required denies them.
	Required Mode = "required"
)

// Choices lists the modes.
func (Mode) Choices() []string { return []string{string(Optional), string(Required)} }

// CertAttribute is the part of a certificate that names its owner.
type CertAttribute string

// The attributes on the wire.
const (
	// Subject is the whole name as RFC 4514 writes it.
	Subject    CertAttribute = "subject"
	CommonName CertAttribute = "common_name"
	Email      CertAttribute = "email"
)

// Choices lists the attributes.
func (CertAttribute) Choices() []string {
	return []string{string(Subject), string(CommonName), string(Email)}
}

// UserAttribute is what it is compared with.
type UserAttribute string

// The attributes on the wire.
const (
	Username  UserAttribute = "username"
	UserEmail UserAttribute = "email"
)

// Choices lists the attributes.
func (UserAttribute) Choices() []string { return []string{string(Username), string(UserEmail)} }

// Config is the configuration of a mutual TLS stage.
type Config struct {
	Mode Mode `json:"mode" field:"required"`
	// CertificateAuthorities are trusted to say who somebody is; those of the
	// brand where there are none.
	CertificateAuthorities []uuid.UUID   `json:"certificate_authorities" field:"ref=certificate"`
	CertAttribute          CertAttribute `json:"cert_attribute" field:"required"`
	UserAttribute          UserAttribute `json:"user_attribute" field:"required"`
}
