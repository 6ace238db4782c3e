package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, yaml string, env []string, flags map[string]string) (Config, []string, error) {
	t.Helper()
	s := Sources{Environ: func() []string { return env }, Flags: flags}
	if yaml != "" {
		s.File = filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(s.File, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(s)
}

func TestLaterSourcesWin(t *testing.T) {
	rows := []struct {
		name, yaml string
		env        []string
		flags      map[string]string
		want       string
	}{
		{"nothing set gives the default", "", nil, nil, "127.0.0.1:9000"},
		{"the file replaces the default", "listen: :1", nil, nil, ":1"},
		{"the environment replaces the file", "listen: :1", []string{"WEIR_LISTEN=:2"}, nil, ":2"},
		{"a flag replaces the environment", "listen: :1", []string{"WEIR_LISTEN=:2"}, map[string]string{"listen": ":3"}, ":3"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, _, err := load(t, row.yaml, row.env, row.flags)
			if err != nil {
				t.Fatal(err)
			}
			if c.Listen != row.want {
				t.Errorf("listen = %q, want %q", c.Listen, row.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, warnings, err := load(t,
		"lisen: x\nmax_body: 12\nlimits: {a: 1}\nlog-level: debug\nlog_format: [a, b]\n",
		[]string{"WEIR_SECRET_KEY=short-secret", "WEIR_TRUSTED_PROXIES=10.0.0.0/8,nonsense", "WEIR_PORT_80_TCP=tcp://1.2.3.4:80",
			"WEIR_BASE_URL=ftp://x", "WEIR_TLS_CERT=/cert.pem", "WEIR_CLIENT_CERT_HEADER=X-Client-Cert", "WEIR_DATABASE_URL=mysql://u:hunter2@h/d",
			"WEIR_EXPRESSION_HOSTS=a.example.com, b c", "WEIR_EXPRESSION_DNS=maybe"},
		map[string]string{"listen": "nowhere"})
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for _, want := range []string{
		"weir.yaml: lisen: unknown setting", "weir.yaml: max_body: must be a whole number from 1024",
		"weir.yaml: limits: unknown setting", "did you mean log_level?", "log_format: must be text or json",
		"WEIR_SECRET_KEY: must have at least 32", `WEIR_TRUSTED_PROXIES: "nonsense" is neither`,
		"WEIR_BASE_URL: must be an http", "WEIR_DATABASE_URL: must begin with postgres://", "--listen: must be host:port",
		"tls_cert, tls_key: give both or neither", "WEIR_CLIENT_CERT_HEADER: must be one of X-Forwarded-Client-Cert, SSL-Client-Cert",
		`WEIR_EXPRESSION_HOSTS: "b c" is none of host`, "WEIR_EXPRESSION_DNS: must be true or false",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in:\n%s", want, text)
		}
	}
	for _, secret := range []string{"short-secret", "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error repeats a secret: %s", text)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "WEIR_PORT_80_TCP") {
		t.Errorf("warnings = %q, want one about WEIR_PORT_80_TCP", warnings)
	}
}

func TestValues(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte(strings.Repeat("k", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := load(t, "trusted_proxies: [10.0.0.0/8, '::1', '::ffff:1.2.3.4']\nlog_level: debug\nhash_workers: 3\nread_timeout: 5s\nexpression_hosts: [a.example.com, '*.example.org:8443', 'http://10.0.0.1']\nexpression_dns: true\n",
		[]string{"WEIR_SECRET_KEY_FILE=" + secret, "WEIR_BASE_URL=https://id.example.org/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.SecretKey.Reveal(); got != strings.Repeat("k", 40) {
		t.Errorf("secret key from file = %q", got)
	}
	if got := fmt.Sprint(c.TrustedProxies); got != "[10.0.0.0/8 ::1/128 1.2.3.4/32]" {
		t.Errorf("trusted proxies = %s", got)
	}
	if got := fmt.Sprint(c.Expressions); got != "{[a.example.com *.example.org:8443 http://10.0.0.1] true}" {
		t.Errorf("expressions = %s", got)
	}
	if c.Log.Level != slog.LevelDebug || c.Hashing.Workers != 3 || c.Limits.ReadTimeout.String() != "5s" {
		t.Errorf("values = %+v", c)
	}
	if got := c.Site().String(); got != "https://id.example.org" {
		t.Errorf("site = %s", got)
	}
}

func TestFileAndValueOfOneSecretClash(t *testing.T) {
	_, _, err := load(t, "", []string{"WEIR_SECRET_KEY=" + strings.Repeat("a", 32), "WEIR_SECRET_KEY_FILE=/dev/null"}, nil)
	if err == nil || !strings.Contains(err.Error(), "give either WEIR_SECRET_KEY or WEIR_SECRET_KEY_FILE") {
		t.Errorf("err = %v", err)
	}
}

func TestSiteOfListenAddress(t *testing.T) {
	rows := []struct{ name, listen, want string }{
		{"a plain address is shown as it is", "127.0.0.1:9000", "http://127.0.0.1:9000"},
		{"no host is this machine", ":9000", "http://localhost:9000"},
		{"an unspecified address is this machine", "[::]:9000", "http://localhost:9000"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := New()
			c.Listen = row.listen
			c.TLS.Certificate = "/cert"
			if got, want := c.Site().String(), strings.Replace(row.want, "http:", "https:", 1); got != want {
				t.Errorf("over TLS: %s, want %s", got, want)
			}
			c.TLS.Certificate = ""
			if got := c.Site().String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := New()
	c.SecretKey, c.DatabaseURL = "hunter2hunter2", "postgres://u:hunter2@h/d"
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "key", c.SecretKey, "all", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "key", c.SecretKey, "all", c)
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{log.String(), string(encoded), fmt.Sprintf("%v %+v %#v %s", c, c, c, c.SecretKey)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("a secret was printed: %s", text)
		}
	}
}

func TestEverySettingHasItsEffect(t *testing.T) {
	values := map[string]string{
		"listen": ":1", "data": "/x", "database_url": "postgres://h/d", "base_url": "https://a.example",
		"secret_key": strings.Repeat("s", 32), "trusted_proxies": "10.0.0.0/8", "client_cert_header": "ssl-client-cert", "tls_cert": "/cert", "tls_key": "/key", "blueprints": "/b", "pages": "/p", "geoip_city": "/c", "geoip_asn": "/a",
		"bootstrap_password": "p", "bootstrap_token": strings.Repeat("t", 32), "bootstrap_email": "a@b.example",
		"notifications_per_minute": "7", "log_level": "error", "log_format": "json", "hash_memory": "65536", "hash_time": "3", "hash_threads": "2",
		"hash_workers": "5", "hash_queue": "7", "guess_account": "3", "guess_delay": "1s", "guess_max_delay": "2m", "guess_address": "9", "guess_window": "1m", "reputation_expiry": "48h", "history_keep": "72h",
		"smtp_url": "smtps://mail.example", "mail_from": "a@b.example", "mail_timeout": "3s", "mail_address": "3", "mail_delay": "1s", "mail_account": "4",
		"mail_window": "3m", "mail_client": "5", "mail_client_window": "4m", "mail_notices": "6",
		"hibp_url": "http://mirror.test/range/", "hibp_file": "/f",
		"max_requests": "9", "max_client_requests": "8", "max_client_rate": "7", "max_body": "2048", "max_header": "8192", "header_timeout": "3s",
		"read_timeout": "4s", "write_timeout": "5s", "idle_timeout": "6s", "shutdown_timeout": "7s", "drain_delay": "8s",
		"expression_hosts": "a.example", "expression_dns": "true",
	}
	if len(values) != len(Settings()) {
		t.Errorf("%d values for %d settings", len(values), len(Settings()))
	}
	for _, s := range Settings() {
		c := New()
		if err := s.set(&c, values[s.Key]); err != nil {
			t.Errorf("%s: %v", s.Key, err)
		}
		if fmt.Sprintf("%#v%s", c, revealed(c)) == fmt.Sprintf("%#v%s", New(), revealed(New())) {
			t.Errorf("%s changes nothing", s.Key)
		}
	}
}

func revealed(c Config) string {
	return c.SecretKey.Reveal() + c.DatabaseURL.Reveal() + c.Bootstrap.Password.Reveal() + c.Bootstrap.Token.Reveal()
}
