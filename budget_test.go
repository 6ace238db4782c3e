package weir

import (
	"strings"
	"testing"

	"github.com/weir-id/weir/bench/measure"
)

// TestBudgetOfTheDatabase holds each request of a login to what it may ask the
// database: one read of session and execution besides what the stage looks up,
// one write transaction, two where a secret is guessed, three where the guess was
// wrong, and nothing to write for the first look of a visitor.
func TestBudgetOfTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		site := assembled(t, s)
		const page = "/if/flow/default-authentication-flow/"
		rows := []struct {
			name, method, path, body string
			reads, writes            int
		}{
			// Besides session and execution, a step looks the person up; a wrong
			// password also app passwords, the second factor the devices, and
			// the login also sessions from the same address. A guess is counted before it is looked at, a
			// wrong one then for its session as well.
			{"the first challenge", "GET", loginFlow, "", 0, 0},
			{"the first challenge once more", "GET", loginFlow, "", 1, 0},
			{"the first page", "GET", page, "", 1, 0},
			{"an answer that is none", "POST", loginFlow, "{}", 1, 0},
			{"a name", "POST", loginFlow, `{"uid_field":"akadmin"}`, 2, 1},
			{"the challenge of the password", "GET", loginFlow, "", 2, 0},
			{"a wrong password", "POST", loginFlow, `{"password":"wrong"}`, 3, 3},
			{"the right password", "POST", loginFlow, `{"password":"correct horse"}`, 2, 2},
			{"the second factor, which nobody has", "GET", loginFlow, "", 3, 1},
			{"the login", "GET", loginFlow, "", 3, 1},
		}
		browser := measure.Browser{}
		for _, row := range rows {
			var did effort
			w := browser.Do(did.in(t.Context()), site, row.method, row.path, row.body)
			if did.reads() > row.reads || did.writes() > row.writes {
				t.Errorf("%s: %d reads and %d writes, want at most %d and %d", row.name, did.reads(), did.writes(), row.reads, row.writes)
			}
			if strings.Contains(w.Body.String(), "ak-stage-flow-error") || w.Code >= 400 {
				t.Fatalf("%s: answer %d %s", row.name, w.Code, w.Body)
			}
		}
	})
}
