package main

import (
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/mail/mailtest"
)

func TestATestMail(t *testing.T) {
	server := mailtest.New(t, mailtest.Config{User: "weir", Password: "hunter2"})
	settings := write(t, "weir.yaml", "smtp_url: smtp://"+server.Addr+"\nmail_from: Acme <no-reply@acme.example>\n")
	args := []string{"mail", "test", "--config", settings, "--data", t.TempDir(), "ada@example.com"}
	if code, _, errs := call(t, "", args...); code != 1 || !strings.Contains(errs, "authenticate first") {
		t.Errorf("a server that wants a password: %d, %s", code, errs)
	}
	open := mailtest.New(t, mailtest.Config{})
	args[3] = write(t, "weir.yaml", "smtp_url: smtp://"+open.Addr+"\nmail_from: Acme <no-reply@acme.example>\n")
	if code, out, errs := call(t, "", args...); code != 0 || !strings.Contains(out, "has taken a mail to ada@example.com") {
		t.Errorf("exit code %d: %s %s", code, out, errs)
	}
	if got := open.Mails(); len(got) != 1 || got[0].To[0] != "ada@example.com" || got[0].Header.Get("Subject") != "A test" {
		t.Errorf("mails: %v", got)
	}
	args[3] = write(t, "weir.yaml", "smtp_url: smtp://u:hunter2@"+open.Addr+"/x\n")
	if code, _, errs := call(t, "", args...); code != 2 || strings.Contains(errs, "hunter2") || !strings.Contains(errs, "smtp_url: must not have a path") {
		t.Errorf("a wrong address: %d, %s", code, errs)
	}
	args[3] = write(t, "weir.yaml", "smtp_url: smtp://"+open.Addr+"\n")
	if code, _, errs := call(t, "", args...); code != 1 || !strings.Contains(errs, "WEIR_MAIL_FROM") {
		t.Errorf("no sender: %d, %s", code, errs)
	}
}
