// Package config reads the settings: a YAML file, then the environment, then
// flags, the later one winning. Settings says what exists; Load reports every
// problem at once and refuses keys it does not know, except for unknown WEIR_*
// variables, which only warn since some platforms inject their own.
//
// The package holds values. What they do is up to the packages that get them.
package config

import (
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"time"
)

// Config is every setting of the program. Make one with New, so that what is
// not set has its default.
type Config struct {
	// Listen is the address to serve on. Default 127.0.0.1:9000.
	Listen string
	// Data is the folder for the SQLite file and the generated key. Default ./data.
	Data string
	// DatabaseURL selects PostgreSQL (postgres://...); empty means SQLite in
	// Data. It is a secret since it may hold a password.
	DatabaseURL Secret
	// TLS is the certificate to serve HTTPS with; HTTP where there is none.
	TLS TLS
	// BaseURL is where people reach the site. Links in mails and on the command
	// line are built from it and never from a request (rule 21). Nil means
	// the listen address.
	BaseURL *url.URL
	// SecretKey seals the key of the store; at least 32 characters. Empty means
	// a file in Data, which only SQLite allows.
	SecretKey Secret
	// TrustedProxies are the peers whose forwarding headers count. Default none.
	TrustedProxies []netip.Prefix
	// CertificateHeader is the header in which those proxies tell the certificate
	// of a client; empty for none.
	CertificateHeader string
	// Blueprints is a folder whose files are applied at start and whenever
	// they change; empty for none.
	Blueprints string
	// Pages is a folder with own templates, texts, style and pictures of the
	// pages, read at start; empty for none. See docs/pages.md.
	Pages string
	// GeoIP tells where addresses are.
	GeoIP GeoIP
	// Bootstrap is used at the first start only.
	Bootstrap Bootstrap
	Log       Log
	Hashing   Hashing
	Guesses   Guesses
	Mail      Mail
	Sends     Sends
	// ReputationExpiry is how long a score is remembered. Default 24 h.
	ReputationExpiry time.Duration
	// HistoryKeep is how long versions of the configuration are kept that have
	// been replaced. Default 0, for ever.
	HistoryKeep time.Duration
	HIBP        HIBP
	Limits      Limits
	// Notifications is how often a notification rule may fire within a minute.
	// Default 60.
	Notifications int
	// Expressions says what the expressions of administrators may reach.
	Expressions Expressions
}

// TLS names files in PEM form: a certificate with its chain, and its private key.
// Both or neither are given. They are read again when they change.
type TLS struct{ Certificate, Key string }

// Expressions says what the expressions of administrators may reach outside.
// The zero value allows nothing.
type Expressions struct {
	// Hosts are the servers that they may call: see outbound.ParseHosts for
	// what an entry looks like.
	Hosts []string
	// DNS lets them ask name servers for any name and address.
	DNS bool
}

// Bootstrap describes the first administrator, akadmin.
type Bootstrap struct {
	// Password is generated and shown once when empty.
	Password Secret
	// Token is the key of an API token for akadmin; empty for none.
	Token Secret
	// Email is the address of akadmin; empty for none.
	Email string
}

// GeoIP names database files of the MaxMind format; empty for none. They are
// read at start, and again whenever they change.
type GeoIP struct {
	// City tells places, ASN who announces an address.
	City, ASN string
}

// Log says what is logged and how.
type Log struct {
	// Level is the lowest level that is written. Default info.
	Level slog.Level
	// JSON selects one JSON object per line instead of key=value text.
	JSON bool
}

// Hashing bounds what hashing passwords costs.
type Hashing struct {
	// MemoryKiB, Time and Threads are the Argon2id parameters of new hashes.
	// Default 19456, 2, 1 (OWASP Password Storage Cheat Sheet).
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
	// Workers is how many hashes are computed at once; 0 means one per core.
	Workers int
	// Queue is how many more may wait; who comes after that is told to try
	// again. Default 64.
	Queue int
}

// Guesses limits wrong guesses of secrets; package guard says how they count.
type Guesses struct {
	// Account is how many an account has before it has to wait. Default 10.
	Account int
	// FirstDelay is the wait after the last free one; each further one doubles
	// it, up to MaxDelay. Defaults 5 s and 5 min.
	FirstDelay, MaxDelay time.Duration
	// Address is how many an address of the network has within Window. Defaults
	// 100 and 10 min.
	Address int
	Window  time.Duration
}

// Mail says how mail is sent.
type Mail struct {
	// Server takes the mails; nil sends none.
	Server *MailServer
	// From is the sender, such as "Acme <no-reply@acme.example>"; required with
	// Server.
	From *mail.Address
	// Timeout bounds a conversation with the server. Default 15 s.
	Timeout time.Duration
}

// Sends limits how much mail people can cause; package guard says how it is
// counted.
type Sends struct {
	// Address is how many mails go to one address within Window, Delay the wait
	// after the second one, which doubles with each further one. Defaults 5 and
	// 30 s.
	Address int
	Delay   time.Duration
	// Account is how many mails can be about one account within Window. Default
	// 10.
	Account int
	// Window is the time for both. Default 1 h.
	Window time.Duration
	// Client is how many mails one address of the network can cause within
	// ClientWindow. Defaults 20 and 10 min.
	Client       int
	ClientWindow time.Duration
	// Notices is how many mails that nobody in particular causes go to one
	// address within Window. Default 60.
	Notices int
}

// HIBP says where leaked passwords are looked up.
type HIBP struct {
	// URL is the address of a service that speaks the range protocol of Have I
	// Been Pwned; empty for none. Default: the public one.
	URL string
	// File is a file with the SHA-1 hashes of leaked passwords, HASH:COUNT
	// sorted by hash, for when the service does not answer; empty for none.
	File string
}

// Limits bounds what a client may send and how long it may take.
type Limits struct {
	// Requests is how many requests are answered at once; who comes after that
	// is told to try again. Probes, static and media files do not count.
	// Default 512.
	Requests int
	// ClientRequests is how many of them one address may have, so that a slow
	// client cannot take all places. Default 128.
	ClientRequests int
	// ClientRate is how many requests of one address are answered in a second, ten
	// seconds' worth of them at once; 0 for any number. Probes, static and media
	// files do not count. Default 100.
	ClientRate int
	// BodyBytes is the largest request body. Default 1 MiB.
	BodyBytes int64
	// HeaderBytes is the largest request header. Default 64 KiB.
	HeaderBytes int
	// HeaderTimeout, ReadTimeout and WriteTimeout bound a request, IdleTimeout
	// a connection without one. Defaults 10 s, 30 s, 60 s, 2 min.
	HeaderTimeout time.Duration
	ReadTimeout   time.Duration
	WriteTimeout  time.Duration
	IdleTimeout   time.Duration
	// ShutdownTimeout is how long requests in flight may take to finish after
	// the program was told to stop. Default 20 s.
	ShutdownTimeout time.Duration
	// DrainDelay is how long the program goes on serving after readiness
	// turned 503, for load balancers to notice. Default 0.
	DrainDelay time.Duration
}

// New returns the defaults.
func New() Config {
	return Config{
		Listen: "127.0.0.1:9000",
		Data:   "./data",
		Log:    Log{Level: slog.LevelInfo},
		Hashing: Hashing{
			MemoryKiB: 19456, Time: 2, Threads: 1, Queue: 64,
		},
		Guesses:          Guesses{Account: 10, FirstDelay: 5 * time.Second, MaxDelay: 5 * time.Minute, Address: 100, Window: 10 * time.Minute},
		ReputationExpiry: 24 * time.Hour,
		Mail:             Mail{Timeout: 15 * time.Second},
		Sends:            Sends{Address: 5, Delay: 30 * time.Second, Account: 10, Window: time.Hour, Client: 20, ClientWindow: 10 * time.Minute, Notices: 60},
		HIBP:             HIBP{URL: "https://api.pwnedpasswords.com/range/"},
		Limits: Limits{
			Requests: 512, ClientRequests: 128, ClientRate: 100,
			BodyBytes: 1 << 20, HeaderBytes: 64 << 10,
			HeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
			WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
			ShutdownTimeout: 20 * time.Second,
		},
		Notifications: 60,
	}
}

// Site is the address to show to people: the base URL, else one made from the
// listen address.
func (c *Config) Site() *url.URL {
	if c.BaseURL != nil {
		return c.BaseURL
	}
	scheme := "http"
	if c.TLS.Certificate != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return &url.URL{Scheme: scheme, Host: c.Listen}
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
}
