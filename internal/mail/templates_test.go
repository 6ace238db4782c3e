package mail_test

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/web"
)

// templates are the built-in ones and those of a folder.
func templates(t *testing.T, files map[string]string) (*mail.Templates, error) {
	t.Helper()
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	texts, err := web.LoadTexts(folder)
	if err != nil {
		return nil, err
	}
	site := &url.URL{Scheme: "https", Host: "id.example.org"}
	return mail.NewTemplates(mail.TemplatesConfig{Texts: texts, Own: texts.Mails(), Site: site, Brand: func() string { return "Acme" }})
}

func builtin(t *testing.T) *mail.Templates {
	t.Helper()
	m, err := templates(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEveryTemplateInEveryLanguage(t *testing.T) {
	m := builtin(t)
	for _, name := range []string{"email/password_reset.html", "email/account_confirmation.html", "email/email_otp.html", "email/event_notification.html", "email/invitation.html"} {
		for _, lang := range []string{"en", "de", "fr", "es"} {
			subject, text, page, err := m.Preview(name, lang, nil)
			if err != nil {
				t.Fatal(err)
			}
			if subject == "" || !strings.Contains(page, `lang="`+lang+`" dir="ltr"`) || len(page) > 20<<10 {
				t.Errorf("%s in %s: subject %q, %d bytes", name, lang, subject, len(page))
			}
			for part, want := range map[string]string{text: "Acme\n", page: ">Acme<"} {
				if !strings.Contains(part, want) || strings.Contains(part, "no value") || strings.Contains(part, "Zgotmplz") || !strings.Contains(part, "https://id.example.org") {
					t.Errorf("%s in %s:\n%s", name, lang, part)
				}
			}
			for line := range strings.Lines(text) {
				if len([]rune(line)) > 77 && strings.Contains(line, " ") {
					t.Errorf("%s in %s: long line %q", name, lang, line)
				}
			}
			if name == "email/event_notification.html" || lang == "en" {
				continue
			}
			if english, _, _, _ := m.Preview(name, "en", nil); english == subject {
				t.Errorf("%s: the subject in %s is English: %q", name, lang, subject)
			}
		}
	}
}

func TestRenderShowsItsValues(t *testing.T) {
	m := builtin(t)
	at := time.Date(2026, 5, 1, 14, 35, 0, 0, time.FixedZone("", 3600))
	subject, text, page, err := m.Render("email/account_confirmation.html", "de-CH", map[string]any{"url": "https://id.example.org/if/flow/x/?flow_token=abc&next=%2F",
		"expires": at, "user": identity.NewPerson(identity.User{Username: "ada", Name: "Ada <b>"}, nil), "code": "123456"})
	if err != nil {
		t.Fatal(err)
	}
	if subject != "Ihre E-Mail-Adresse bestätigen" {
		t.Errorf("subject %q", subject)
	}
	for _, want := range []string{"\nhttps://id.example.org/if/flow/x/?flow_token=abc&next=%2F\n", "Ada <b>", "\n123456\n", "2026-05-01 13:35 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	for _, want := range []string{`href="https://id.example.org/if/flow/x/?flow_token=abc&amp;next=%2F"`, "Ada &lt;b&gt;", ">123456</p>", `lang="de"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if _, _, _, err := m.Render("email/none.html", "en", nil); !errors.Is(err, mail.ErrNoTemplate) {
		t.Errorf("a template that there is not: %v", err)
	}
}

// TestRule12MailsEscape: what people and events say never becomes mark-up, a link
// of another kind, or a second line of the subject.
func TestRule12MailsEscape(t *testing.T) {
	m := builtin(t)
	evil := "\"><script>alert(1)</script>\r\nBcc: x@example.com"
	subject, _, page, err := m.Render(mail.Notification, evil, map[string]any{"title": evil, "body": evil, "link": "javascript:alert(1)", "link_label": evil,
		"source": evil, "key_value": map[string]any{evil: evil}, "brand": evil, "lang": evil})
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(subject, "\r\n") {
		t.Errorf("subject of two lines: %q", subject)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, `href="javascript:`) {
		t.Errorf("not escaped:\n%s", page)
	}
}

// The example of the documentation works.
func TestTheExampleOfAnOwnMailWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```(?:html|text)\n(\\{\\{/\\* (templates/email/\\S+) .*?)```").FindAllStringSubmatch(string(page), -1) {
		files[block[2]] = block[1]
	}
	m, err := templates(t, files)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	subject, text, html, err := m.Render("email/welcome.html", "en", map[string]any{"user": map[string]any{"name": "Ada"}, "url": "https://acme.example/"})
	if err != nil || subject != "Welcome to Acme" || !strings.Contains(text, "Welcome, Ada.\nhttps://acme.example/\n") || !strings.Contains(html, "<p>Welcome, Ada.</p>") || !strings.Contains(html, ">Go to Acme</a>") {
		t.Errorf("%q, %v\n%s\n%s", subject, err, text, html)
	}
}

func TestTemplatesOfAnAdministrator(t *testing.T) {
	m, err := templates(t, map[string]string{
		"templates/email/password_reset.html": `{{define "main"}}<p>Ours, {{name .user}}</p>{{end}}`,
		"templates/email/welcome.html":        `<p>Welcome {{name .user}}</p>`,
		"templates/email/welcome.txt":         `{{define "subject"}}Hello{{end}}Welcome {{name .user}}`,
		"templates/email/short.txt":           `Only text`,
		"templates/email/whole.html":          `<!doctype html><p>{{.brand}}`,
		"templates/email/whole.txt":           `Text`,
		"locales/de.yaml":                     "mail.not_you: Anders\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	user := map[string]any{"user": map[string]any{"username": "ada"}}
	for name, want := range map[string][4]string{
		"email/password_reset.html": {"Choose a new password", "account ada at", "<p>Ours, ada</p>", "Choose a new password</h1>"},
		"email/welcome.html":        {"Hello", "Welcome ada", "<p>Welcome ada</p>", "Acme</p>"},
		"email/short.txt":           {"Acme", "Only text", "", ""},
		"email/whole.html":          {"Acme", "Text", "<!doctype html><p>Acme", ""},
	} {
		subject, text, page, err := m.Render(name, "en", user)
		if err != nil {
			t.Fatal(err)
		}
		if subject != want[0] || !strings.Contains(text, want[1]) || !strings.Contains(page, want[2]) || !strings.Contains(page, want[3]) || (want[2] == "") != (page == "") {
			t.Errorf("%s: %q\n%s\n%s", name, subject, text, page)
		}
	}
	if _, text, _, _ := m.Render("email/password_reset.html", "de", user); !strings.Contains(text, "Anders") {
		t.Errorf("own words are not used:\n%s", text)
	}
	if got := strings.Join(m.Names(), " "); got != "email/account_confirmation.html email/email_otp.html email/event_notification.html email/invitation.html email/password_reset.html email/short.txt email/welcome.html email/whole.html" {
		t.Errorf("names: %s", got)
	}
	for name, file := range map[string][3]string{
		"no text besides": {"templates/email/a.html", "<p>", "templates/email/a.html: there has to be templates/email/a.txt"},
		"does not parse":  {"templates/email/a.txt", "{{if}}", "templates/email/a.txt: "},
		"a missing text":  {"templates/email/password_reset.html", `{{define "main"}}{{t "mail.none"}}{{end}}`, `no text "mail.none"`},
		"no mail at all":  {"templates/email/a.png", "", "nothing uses this file"},
	} {
		if _, err := templates(t, map[string]string{file[0]: file[1]}); err == nil || !strings.Contains(err.Error(), file[2]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
