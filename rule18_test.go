package weir

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// runs is how often each kind of name is tried, spread is how far the middle of
// their times may be apart: a hash of a password more or less, or a letter that is
// written for one of them only, is far beyond it.
const (
	runs   = 60
	spread = 1.5
)

// TestRule18TimesAreAlike compares the middle of many times, taken by turns, of
// names that somebody has and of names that nobody has.
func TestRule18TimesAreAlike(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Sends.Client, s.Guesses.Address = 10_000, 10_000
		o, _ := post(t, s)
		apply(t, o.site, mailFlows)
		for i := range runs {
			id := o.user(fmt.Sprint("known", i), m{"email": fmt.Sprintf("known%d@example.com", i)})
			o.must("POST", fmt.Sprintf("core/users/%d/set_password/", id), m{"password": "the right words"})
		}
		for what, try := range map[string]func(c *client, name string){
			"sign-in":  func(c *client, name string) { c.signIn(name, "the wrong words") },
			"recovery": func(c *client, name string) { c.asksFor(name) },
		} {
			times := map[string][]time.Duration{}
			for i := range runs {
				// The garbage of a hash is the next one's to clear away.
				kinds := []string{"known", "nobody"}
				rand.Shuffle(2, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
				for _, kind := range kinds {
					c := visit(t, o.site)
					begin := time.Now()
					try(c, fmt.Sprint(kind, i))
					times[kind] = append(times[kind], time.Since(begin))
				}
			}
			middle := func(kind string) float64 {
				slices.Sort(times[kind])
				return times[kind][runs/2].Seconds()
			}
			ratio := middle("known") / middle("nobody")
			t.Logf("%s: %.2f, %.2f ms", what, ratio, 1000*middle("known"))
			if ratio > spread || ratio < 1/spread {
				t.Errorf("%s of a name that somebody has takes %.2f times as long as of others", what, ratio)
			}
		}
	})
}
