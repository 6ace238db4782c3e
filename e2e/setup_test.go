package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheFirstAdministratorIsMadeInTheBrowser(t *testing.T) {
	for _, db := range databases {
		for _, js := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, script %v", db, js), func(t *testing.T) {
				t.Parallel()
				in := newInstallation(t, db)
				p := in.serve()
				shown := shownLink.FindStringSubmatch(p.output())
				if shown == nil {
					t.Fatalf("the first start prints no link:\n%s", p.output())
				}
				again, err := in.command("setup-link", "--listen", strings.TrimPrefix(p.URL, "http://")).Output()
				if err != nil {
					t.Fatalf("print another link: %v", err)
				}
				link, ok := strings.CutPrefix(strings.TrimSpace(string(again)), p.URL)
				if !ok || strings.Contains(link, shown[1]) {
					t.Fatalf("the command prints %q", again)
				}

				b := newTab(t, p.URL, js)
				b.open("/if/flow/initial-setup/")
				b.sees("You can’t continue")
				b.open(link)
				b.sees("Welcome to Weir")
				if got := b.try(`document.getElementById("username").value`); got != "akadmin" {
					t.Errorf("the form proposes the user name %q", got)
				}
				b.fill("username", "root")
				b.fill("email", "root@example.org")
				b.fill("password", "correct horse")
				b.fill("password_repeat", "correct house")
				b.submit()
				b.sees("The passwords are not the same.")
				if got := b.try(`document.getElementById("username").value`); got != "root" {
					t.Errorf("after a mistake the form shows the user name %q", got)
				}
				b.fill("password", "correct horse")
				b.fill("password_repeat", "correct horse")
				b.submit()
				b.at("/if/user/")
				b.sees("Hello, Administrator")

				p.kill()
				p = in.serve()
				if strings.Contains(p.output(), "flow_token") {
					t.Errorf("a start after the set-up prints %s", p.output())
				}
				if out, err := in.command("setup-link").Output(); err == nil {
					t.Errorf("after the set-up the command prints %q", out)
				}
				late := newTab(t, p.URL, js)
				for _, used := range []string{link, "/if/flow/initial-setup/?" + shown[1]} {
					late.open(used)
					late.sees("You can’t continue")
				}
				signIn(late, "root", "correct horse")
				late.at("/if/user/")
			})
		}
	}
}
