package mail_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/mail/mailtest"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// TestTheWayToTheServer: nothing is sent, and no password shown, where somebody
// else could read it.
func TestTheWayToTheServer(t *testing.T) {
	const user, password = "weir", "the secret of weir"
	db := storetest.SQLite(t)
	for name, tt := range map[string]struct {
		server  mailtest.Config
		address string // of the server, behind its name and password
		roots   bool
		user    bool
		want    string
		auths   int
	}{
		"STARTTLS":                             {mailtest.Config{StartTLS: true}, "smtp://%?tls=starttls", true, false, "", 0},
		"STARTTLS with a password":             {mailtest.Config{StartTLS: true, User: user, Password: password}, "smtp://%?tls=starttls", true, true, "", 1},
		"and LOGIN":                            {mailtest.Config{StartTLS: true, User: user, Password: password, Mechanisms: []string{"LOGIN"}}, "smtp://%?tls=starttls", true, true, "", 1},
		"TLS at once with a password":          {mailtest.Config{Implicit: true, User: user, Password: password}, "smtps://%", true, true, "", 1},
		"none, on this machine":                {mailtest.Config{}, "smtp://%", false, false, "", 0},
		"none, as the address says":            {mailtest.Config{}, "smtp://%?tls=none", false, false, "", 0},
		"a server without STARTTLS":            {mailtest.Config{User: user, Password: password}, "smtp://%?tls=starttls", true, true, "does not support STARTTLS", 0},
		"STARTTLS of an unknown authority":     {mailtest.Config{StartTLS: true, User: user, Password: password}, "smtp://%?tls=starttls", false, true, "certificate", 0},
		"TLS of an unknown authority":          {mailtest.Config{Implicit: true}, "smtps://%", false, false, "certificate", 0},
		"a password without TLS":               {mailtest.Config{User: user, Password: password}, "smtp://%", false, true, "", 0},
		"a wrong password":                     {mailtest.Config{StartTLS: true, User: user, Password: "another"}, "smtp://%?tls=starttls", true, true, "AUTH failed", 1},
		"no password, for a server that wants": {mailtest.Config{StartTLS: true, User: user, Password: password}, "smtp://%?tls=starttls", true, false, "authenticate first", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, db, tt.server)
			where := o.server.Addr
			if tt.user {
				where = user + ":" + strings.ReplaceAll(password, " ", "%20") + "@" + where
			}
			o.Server = o.address(strings.Replace(tt.address, "%", where, 1))
			if !tt.roots {
				o.Roots = nil
			}
			o.Pauses = []time.Duration{time.Hour}
			id := o.queue(message())
			o.start()
			r := o.wait("an outcome", id, func(r row) bool { return r.state == "sent" || r.reason != "" })
			works := tt.want == "" && name != "a password without TLS"
			if works != (r.state == "sent") || !strings.Contains(r.reason, tt.want) || strings.Contains(r.reason, password) {
				t.Errorf("%+v", r)
			}
			if n := len(o.server.Mails()); (n == 1) != works || o.server.Auths() != tt.auths {
				t.Errorf("%d mails came, %d times somebody signed in", n, o.server.Auths())
			}
			err := mail.New(o.Config).Check(t.Context())
			if name == "no password, for a server that wants" {
				works = true // which only shows when a message comes
			}
			if works != (err == nil) {
				t.Errorf("the check says %v", err)
			}
			if _, err := db.Exec(t.Context(), "delete from river_job"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAddressesOfServers(t *testing.T) {
	for address, want := range map[string]config.MailServer{
		"smtp://mail.example":                {Host: "mail.example", Port: 587},
		"smtps://mail.example/":              {Host: "mail.example", Port: 465, Implicit: true},
		"smtp://a%40b:c%3Ad@mail.example:25": {Host: "mail.example", Port: 25, User: "a@b", Password: "c:d"},
		"smtp://localhost":                   {Host: "localhost", Port: 25, Plain: true},
		"smtp://[::1]:1025?tls=starttls":     {Host: "::1", Port: 1025},
		"smtp://mail.example?tls=none":       {Host: "mail.example", Port: 587, Plain: true},
	} {
		if got, err := config.ParseMailServer(address); err != nil || *got != want {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
	for _, address := range []string{"mail.example", "http://u:hunter2@mail.example", "smtp://u:hunter2@mail.example:port", "smtp://u:hunter2@h/path", "smtp://u:hunter2@h?tls=no",
		"smtps://h?tls=none", "smtp://h?tsl=none", "smtp://h:0", "smtp:h", "smtp://"} {
		if _, err := config.ParseMailServer(address); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestRule48MailHeaders: nobody gets a line of their own into the header.
func TestRule48MailHeaders(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), mailtest.Config{})
	for _, end := range []string{"\r\nBcc: eve@example.com", "\nX: y", "\rX: y", "\x00", "\u2028X: y", "\u0085X: y", "\xff"} {
		for name, change := range map[string]func(*mail.Message){
			"subject":             func(m *mail.Message) { m.Subject += end },
			"language":            func(m *mail.Message) { m.Language += end },
			"to":                  func(m *mail.Message) { m.To = []string{"ada@example.com" + end} },
			"the name of a to":    func(m *mail.Message) { m.To = []string{"Ada" + end + " <ada@example.com>"} },
			"a quoted name":       func(m *mail.Message) { m.To = []string{`"Ada` + end + `" <ada@example.com>`} },
			"an encoded name":     func(m *mail.Message) { m.To = []string{"=?utf-8?q?Ada=0D=0ABcc:_eve?= <ada@example.com>"} },
			"a quoted local part": func(m *mail.Message) { m.Cc = []string{`"a` + end + `"@example.com`} },
			"bcc":                 func(m *mail.Message) { m.Bcc = []string{"ada@example.com" + end} },
		} {
			m := message()
			change(&m)
			if err := o.try(m); !errors.Is(err, mail.ErrMessage) {
				t.Errorf("%s with %q: %v", name, end, err)
			}
		}
	}
	for name, change := range map[string]func(*mail.Message){
		"nobody":             func(m *mail.Message) { m.To = nil },
		"no address":         func(m *mail.Message) { m.To = []string{"ada"} },
		"two in one":         func(m *mail.Message) { m.To = []string{"a@example.com, b@example.com"} },
		"too many":           func(m *mail.Message) { m.Bcc = strings.Split(strings.Repeat("a@example.com ", 50), " ")[:50] },
		"no text":            func(m *mail.Message) { m.Text = "" },
		"a text too long":    func(m *mail.Message) { m.HTML = strings.Repeat("x", 1<<20) },
		"a subject too long": func(m *mail.Message) { m.Subject = strings.Repeat("x", 901) },
		"no purpose":         func(m *mail.Message) { m.Purpose = "" },
	} {
		m := message()
		change(&m)
		if err := o.try(m); !errors.Is(err, mail.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var n int
	if err := o.db.QueryRow(t.Context(), "select (select count(*) from mails) + (select count(*) from guesses)").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows were stored, %v", n, err)
	}
}

func TestWithoutAServerNothingIsQueued(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), mailtest.Config{})
	o.Server = nil
	if err := o.try(message()); !errors.Is(err, mail.ErrNotConfigured) {
		t.Error(err)
	}
	if err := mail.New(o.Config).Check(t.Context()); !errors.Is(err, mail.ErrNotConfigured) {
		t.Error(err)
	}
	var n int
	if err := o.db.QueryRow(t.Context(), "select (select count(*) from mails) + (select count(*) from guesses)").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows were stored, %v", n, err)
	}
}

// TestRule23MailsAreLimited: by what stands in the store, for each process; and a
// refused mail is not queued.
func TestRule23MailsAreLimited(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		limits := guard.SendLimits{Address: 2, Delay: 0, Account: 9, Window: time.Hour, Client: 9, ClientWindow: time.Hour, Notices: 3}
		o.Guard = guard.New(guard.Config{DB: db, Key: strings.ToLower, Now: o.now, Sends: limits})
		limited := func(m mail.Message) guard.Kind {
			t.Helper()
			err := o.try(m)
			var refused *guard.LimitedError
			if errors.As(err, &refused) {
				return refused.Kind
			}
			if err != nil {
				t.Fatal(err)
			}
			return ""
		}
		m := message()
		for i, want := range []guard.Kind{"", "", guard.MailAddress} {
			if got := limited(m); got != want {
				t.Errorf("mail %d is refused by %q, want %q", i+1, got, want)
			}
		}
		m.Purpose = mail.Notice
		for i, want := range []guard.Kind{"", "", "", guard.MailNotice} {
			if got := limited(m); got != want {
				t.Errorf("notice %d is refused by %q, want %q", i+1, got, want)
			}
		}
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from mails").Scan(&n); err != nil || n != 5 {
			t.Errorf("%d mails are queued, %v", n, err)
		}
	})
}
