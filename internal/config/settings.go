package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/request"
)

// Setting is one key: the same word in the file (database_url), the
// environment (WEIR_DATABASE_URL) and as a flag (--database-url).
type Setting struct {
	Key string
	// Usage is one line for the help text.
	Usage string
	// Secret settings have no flag, since other users of the machine see the
	// arguments of a program; instead <key>_file names a file with the value.
	Secret bool

	set func(c *Config, text string) error
}

// Settings lists every setting.
func Settings() []Setting {
	return []Setting{
		{"listen", "address to serve on (host:port)", false, setListen},
		{"tls_cert", "file with the certificate to serve HTTPS with, and its chain (PEM); HTTP when empty", false, func(c *Config, v string) error {
			c.TLS.Certificate = v
			return nil
		}},
		{"tls_key", "file with the private key of that certificate (PEM)", false, func(c *Config, v string) error {
			c.TLS.Key = v
			return nil
		}},
		{"data", "folder for the SQLite database and the generated key", false, func(c *Config, v string) error {
			c.Data = v
			return notEmpty(v)
		}},
		{"database_url", "PostgreSQL address (postgres://...); SQLite when empty", true, setDatabaseURL},
		{"base_url", "address under which people reach the site", false, setBaseURL},
		{"secret_key", "key that seals the store; at least 32 characters", true, setSecretKey},
		{"trusted_proxies", "networks of proxies whose forwarding headers count (comma separated)", false, setProxies},
		{"client_cert_header", "header in which those proxies tell the certificate of a client", false, setCertificateHeader},
		{"blueprints", "folder of blueprints to apply at start and when they change", false, func(c *Config, v string) error {
			c.Blueprints = v
			return nil
		}},
		{"pages", "folder of own templates, texts, style and pictures of the pages", false, func(c *Config, v string) error {
			c.Pages = v
			return nil
		}},
		{"expression_hosts", "servers that expressions may call: host, host:port, *.suffix, address or network, with http:// for calls in the clear (comma separated)", false, setExpressionHosts},
		{"expression_dns", "whether expressions may ask name servers: true or false", false, func(c *Config, v string) error {
			c.Expressions.DNS = v == "true"
			if v != "true" && v != "false" {
				return fmt.Errorf("must be true or false")
			}
			return nil
		}},
		{"geoip_city", "GeoIP database of places (.mmdb)", false, func(c *Config, v string) error {
			c.GeoIP.City = v
			return nil
		}},
		{"geoip_asn", "GeoIP database of networks and who announces them (.mmdb)", false, func(c *Config, v string) error {
			c.GeoIP.ASN = v
			return nil
		}},
		{"bootstrap_password", "first start: password of akadmin", true, func(c *Config, v string) error {
			c.Bootstrap.Password = Secret(v)
			return nil
		}},
		{"bootstrap_token", "first start: API token of akadmin; at least 16 characters", true, setBootstrapToken},
		{"bootstrap_email", "first start: e-mail address of akadmin", false, func(c *Config, v string) error {
			c.Bootstrap.Email = v
			return nil
		}},
		{"log_level", "debug, info, warn or error", false, func(c *Config, v string) error {
			if err := c.Log.Level.UnmarshalText([]byte(v)); err != nil {
				c.Log.Level = slog.LevelInfo
				return fmt.Errorf("must be debug, info, warn or error")
			}
			return nil
		}},
		{"log_format", "text or json", false, func(c *Config, v string) error {
			c.Log.JSON = v == "json"
			if v != "json" && v != "text" {
				return fmt.Errorf("must be text or json")
			}
			return nil
		}},
		{"hash_memory", "Argon2id memory of new password hashes, in KiB", false, func(c *Config, v string) error {
			return number(&c.Hashing.MemoryKiB, v, 7*1024, 256*1024)
		}},
		{"hash_time", "Argon2id passes of new password hashes", false, func(c *Config, v string) error {
			return number(&c.Hashing.Time, v, 1, 16)
		}},
		{"hash_threads", "Argon2id lanes of new password hashes", false, func(c *Config, v string) error {
			return number(&c.Hashing.Threads, v, 1, 16)
		}},
		{"hash_workers", "passwords hashed at once; 0 means one per core", false, func(c *Config, v string) error {
			return number(&c.Hashing.Workers, v, 0, 1024)
		}},
		{"hash_queue", "passwords that may wait to be hashed", false, func(c *Config, v string) error {
			return number(&c.Hashing.Queue, v, 1, 65536)
		}},
		{"guess_account", "wrong guesses of an account before it has to wait", false, func(c *Config, v string) error {
			return number(&c.Guesses.Account, v, 1, 100)
		}},
		{"guess_delay", "wait after the last free guess; it doubles with each further one", false, func(c *Config, v string) error {
			return duration(&c.Guesses.FirstDelay, v, time.Second)
		}},
		{"guess_max_delay", "longest wait after a wrong guess", false, func(c *Config, v string) error {
			return duration(&c.Guesses.MaxDelay, v, time.Second)
		}},
		{"guess_address", "wrong guesses from one network address in a window", false, func(c *Config, v string) error {
			return number(&c.Guesses.Address, v, 1, 1<<20)
		}},
		{"guess_window", "the window for wrong guesses from one network address", false, func(c *Config, v string) error {
			return duration(&c.Guesses.Window, v, time.Second)
		}},
		{"notifications_per_minute", "how often a notification rule may fire within a minute", false, func(c *Config, v string) error {
			return number(&c.Notifications, v, 1, 100_000)
		}},
		{"smtp_url", "mail server (smtp://user:password@host:587 or smtps://...); no mail when empty", true, setMailServer},
		{"mail_from", "sender of mails, such as Acme <no-reply@acme.example>", false, setMailFrom},
		{"mail_timeout", "time for a conversation with the mail server", false, func(c *Config, v string) error {
			return duration(&c.Mail.Timeout, v, time.Second)
		}},
		{"mail_address", "mails to one address in a window", false, func(c *Config, v string) error {
			return number(&c.Sends.Address, v, 1, 10000)
		}},
		{"mail_delay", "wait after the second mail to an address; it doubles with each further one", false, func(c *Config, v string) error {
			return duration(&c.Sends.Delay, v, 0)
		}},
		{"mail_account", "mails about one account in a window", false, func(c *Config, v string) error {
			return number(&c.Sends.Account, v, 1, 10000)
		}},
		{"mail_window", "the window for mails to one address and about one account", false, func(c *Config, v string) error {
			return duration(&c.Sends.Window, v, time.Second)
		}},
		{"mail_client", "mails that one network address can cause in a window", false, func(c *Config, v string) error {
			return number(&c.Sends.Client, v, 1, 1<<20)
		}},
		{"mail_client_window", "the window for mails that one network address causes", false, func(c *Config, v string) error {
			return duration(&c.Sends.ClientWindow, v, time.Second)
		}},
		{"mail_notices", "mails to one address in a window that nobody in particular causes", false, func(c *Config, v string) error {
			return number(&c.Sends.Notices, v, 1, 1<<20)
		}},
		{"reputation_expiry", "how long the score of a name and an address is remembered", false, func(c *Config, v string) error {
			return span(&c.ReputationExpiry, v, time.Minute, 8760*time.Hour)
		}},
		{"history_keep", "how long replaced versions of the configuration are kept; 0 for ever", false, func(c *Config, v string) error {
			if v == "0" {
				c.HistoryKeep = 0
				return nil
			}
			return span(&c.HistoryKeep, v, 48*time.Hour, 87600*time.Hour)
		}},
		{"hibp_url", "service for leaked passwords (range protocol); none when empty", false, setHIBP},
		{"hibp_file", "file of leaked passwords (HASH:COUNT, sorted) for when the service does not answer", false, func(c *Config, v string) error {
			c.HIBP.File = v
			return nil
		}},
		{"max_requests", "requests answered at once", false, func(c *Config, v string) error {
			return number(&c.Limits.Requests, v, 8, 65536)
		}},
		{"max_client_requests", "requests answered at once for one address", false, func(c *Config, v string) error {
			return number(&c.Limits.ClientRequests, v, 8, 65536)
		}},
		{"max_client_rate", "requests of one address answered in a second; 0 for any number", false, func(c *Config, v string) error {
			return number(&c.Limits.ClientRate, v, 0, 1<<20)
		}},
		{"max_body", "largest request body, in bytes", false, func(c *Config, v string) error {
			return number(&c.Limits.BodyBytes, v, 1024, 1<<30)
		}},
		{"max_header", "largest request header, in bytes", false, func(c *Config, v string) error {
			return number(&c.Limits.HeaderBytes, v, 4096, 1<<24)
		}},
		{"header_timeout", "time to receive a request header", false, func(c *Config, v string) error {
			return duration(&c.Limits.HeaderTimeout, v, time.Second)
		}},
		{"read_timeout", "time to receive a request", false, func(c *Config, v string) error {
			return duration(&c.Limits.ReadTimeout, v, time.Second)
		}},
		{"write_timeout", "time to answer a request", false, func(c *Config, v string) error {
			return duration(&c.Limits.WriteTimeout, v, time.Second)
		}},
		{"idle_timeout", "time an unused connection stays open", false, func(c *Config, v string) error {
			return duration(&c.Limits.IdleTimeout, v, time.Second)
		}},
		{"shutdown_timeout", "time for requests in flight when stopping", false, func(c *Config, v string) error {
			return duration(&c.Limits.ShutdownTimeout, v, 0)
		}},
		{"drain_delay", "time to go on serving after readiness turned 503", false, func(c *Config, v string) error {
			return duration(&c.Limits.DrainDelay, v, 0)
		}},
	}
}

// The secret key is not stretched, so it has to be long and random. A token is
// only ever tried over the network.
const (
	minKeyLength   = 32
	minTokenLength = 16
)

func notEmpty(v string) error {
	if v == "" {
		return fmt.Errorf("must not be empty")
	}
	return nil
}

func setListen(c *Config, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("must be host:port, such as 127.0.0.1:9000 or :9000")
	}
	c.Listen = v
	return nil
}

func setDatabaseURL(c *Config, v string) error {
	// The value may hold a password, so no part of it is repeated.
	if v != "" && !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		return fmt.Errorf("must begin with postgres://")
	}
	c.DatabaseURL = Secret(v)
	return nil
}

func setBaseURL(c *Config, v string) error {
	if v == "" {
		c.BaseURL = nil
		return nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("must be an http:// or https:// address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("must have no user, path, query or fragment")
	}
	u.Path = ""
	c.BaseURL = u
	return nil
}

func setHIBP(c *Config, v string) error {
	if v != "" {
		u, err := url.Parse(v)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			return fmt.Errorf("must be an http:// or https:// address")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return fmt.Errorf("must have no user, query or fragment")
		}
	}
	c.HIBP.URL = v
	return nil
}

func setSecretKey(c *Config, v string) error {
	if v != "" && len(v) < minKeyLength {
		return fmt.Errorf("must have at least %d characters", minKeyLength)
	}
	c.SecretKey = Secret(v)
	return nil
}

func setBootstrapToken(c *Config, v string) error {
	if v != "" && len(v) < minTokenLength {
		return fmt.Errorf("must have at least %d characters", minTokenLength)
	}
	c.Bootstrap.Token = Secret(v)
	return nil
}

// parts splits a list at its commas.
func parts(v string) []string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func setExpressionHosts(c *Config, v string) error {
	list := parts(v)
	_, err := outbound.ParseHosts(list)
	if err == nil {
		c.Expressions.Hosts = list
	}
	return err
}

func setProxies(c *Config, v string) error {
	c.TrustedProxies = nil
	for _, part := range parts(v) {
		if addr, err := netip.ParseAddr(part); err == nil {
			addr = addr.Unmap()
			c.TrustedProxies = append(c.TrustedProxies, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", part)
		}
		c.TrustedProxies = append(c.TrustedProxies, p.Masked())
	}
	return nil
}

func setCertificateHeader(c *Config, v string) error {
	known := request.CertificateHeaders()
	i := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, v) })
	if i < 0 && v != "" {
		return fmt.Errorf("must be one of %s", strings.Join(known, ", "))
	}
	c.CertificateHeader = ""
	if i >= 0 {
		c.CertificateHeader = known[i]
	}
	return nil
}

type integer interface {
	~int | ~int64 | ~uint8 | ~uint32
}

func number[T integer](dst *T, v string, low, high int64) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low || n > high {
		return fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	*dst = T(n)
	return nil
}

func duration(dst *time.Duration, v string, low time.Duration) error {
	return span(dst, v, low, time.Hour)
}

func span(dst *time.Duration, v string, low, high time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < low || d > high {
		return fmt.Errorf("must be a duration such as 30s, from %v to %v", low, high)
	}
	*dst = d
	return nil
}
