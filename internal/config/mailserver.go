package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
)

// MailServer is where mails are handed over.
type MailServer struct {
	Host     string
	Port     int
	User     string
	Password Secret
	// Implicit is TLS from the first byte, Plain none at all; with neither the
	// server has to offer STARTTLS.
	Implicit, Plain bool
}

// ParseMailServer reads the address of a mail server: smtp://user:password@host:port,
// which asks for STARTTLS, or smtps:// for TLS from the first byte. Without TLS
// works smtp:// to this machine, and elsewhere what says so: ?tls=none. The error
// does not repeat the address, which may hold a password.
func ParseMailServer(address string) (*MailServer, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, errors.New("must be smtp://host:port or smtps://host:port")
	}
	s := &MailServer{Host: u.Hostname(), User: u.User.Username()}
	password, _ := u.User.Password()
	s.Password = Secret(password)
	port := "587"
	switch u.Scheme {
	case "smtp":
		s.Plain = local(s.Host)
		if s.Plain {
			port = "25"
		}
	case "smtps":
		s.Implicit, port = true, "465"
	default:
		return nil, errors.New("must begin with smtp:// or smtps://")
	}
	if given := u.Port(); given != "" {
		port = given
	}
	if s.Port, err = strconv.Atoi(port); err != nil || s.Port < 1 || s.Port > 65535 || s.Host == "" {
		return nil, errors.New("must name a host and a port")
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, errors.New("must not have a path")
	}
	for name, values := range u.Query() {
		if name != "tls" || len(values) != 1 {
			return nil, errors.New("has an option that there is not; there is tls=none and tls=starttls")
		}
		switch value := values[0]; {
		case value == "none" && !s.Implicit:
			s.Plain = true
		case value == "starttls" && !s.Implicit:
			s.Plain = false
		default:
			return nil, errors.New("tls must be none or starttls, and only with smtp://")
		}
	}
	return s, nil
}

// local tells whether a host is this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// String is the address without the password.
func (s *MailServer) String() string {
	scheme := "smtp"
	if s.Implicit {
		scheme = "smtps"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port))}).String()
}

func setMailServer(c *Config, v string) (err error) {
	c.Mail.Server = nil
	if v != "" {
		c.Mail.Server, err = ParseMailServer(v)
	}
	return err
}

func setMailFrom(c *Config, v string) (err error) {
	c.Mail.From = nil
	if v == "" {
		return nil
	}
	if c.Mail.From, err = mail.ParseAddress(v); err != nil {
		return fmt.Errorf("must be an address such as Acme <no-reply@acme.example>")
	}
	return nil
}
