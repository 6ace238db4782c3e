package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-id/weir/internal/duo/duotest"
)

// TestDuo: somebody sets Duo up and signs in with it, with script, where the page goes
// on by itself, and without. The program trusts the certificate of the test alone.
func TestDuo(t *testing.T) {
	for db, js := range map[string]bool{"sqlite": true, "postgres": false} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			account := duotest.New(t)
			roots := filepath.Join(t.TempDir(), "roots.pem")
			if err := os.WriteFile(roots, account.Certificate(), 0o600); err != nil {
				t.Fatal(err)
			}
			const password = "correct horse battery"
			in := newInstallation(t, db, "WEIR_BOOTSTRAP_PASSWORD="+password, "SSL_CERT_FILE="+roots,
				"DUO_HOST="+account.Host, "DUO_KEY="+duotest.Key, "DUO_SECRET="+duotest.Secret)
			if out, err := in.command("apply", "testdata/duo.yaml").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			b := newTab(t, in.serve().URL, js)
			signIn(b, "akadmin", password)
			b.at("/if/user/")

			b.open("/if/flow/duo/")
			b.submit() // the page was opened by hand: it asks before it enrols
			b.sees("scan this code")
			if js {
				b.sees("goes on by itself")
				account.Activate("akadmin")
			} else {
				b.submit()
				b.sees("Duo does not know your phone yet")
				account.Activate("akadmin")
				b.submit()
			}
			b.at("/if/user/")

			signOut(b)
			signIn(b, "akadmin", password)
			b.sees("Approve on your phone")
			account.Answer("deny", "deny")
			b.submit()
			b.sees("The push was declined")
			account.Answer("allow", "allow")
			b.submit()
			b.at("/if/user/")
			if n := len(account.Pushes()); n != 2 {
				t.Errorf("%d pushes, want 2", n)
			}
		})
	}
}
