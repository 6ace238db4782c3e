package password

import (
	"strings"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/frequency"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"

	"github.com/weir-id/weir/policy"
)

const (
	// scoredRunes is how much of a password is looked at: the work grows faster
	// than the length, and what is longer is not guessed anyway.
	scoredRunes = 72
	// maxLeet is how many different digits and symbols may be read as letters.
	// Each adds readings of the whole password; words have few.
	maxLeet = 6
)

// The lists of words have become tables when the package was loaded; nobody
// reads them again, and they hold one and a half megabytes.
func init() { clear(frequency.Lists) }

// leet are the characters that are read as letters.
const leet = "4@8({[<369!1|70$5+%2"

// score is how hard a password is to guess, from 0 to 4. known are words that
// somebody who knows the person tries first.
func score(plain string, known []string) int {
	plain = cut(plain)
	readings := 0
	for _, r := range leet {
		if strings.ContainsRune(plain, r) {
			readings++
		}
	}
	return zxcvbn.PasswordStrength(plain, known, func(m match.Matcher) bool {
		return readings > maxLeet && matching.FilterL33tMatcher(m)
	}).Score
}

func cut(s string) string {
	n := 0
	for i := range s {
		if n == scoredRunes {
			return s[:i]
		}
		n++
	}
	return s
}

// knownWords are what is known of the person and the site.
func (j *judge) knownWords(r *policy.Request) []string {
	words := []string{}
	add := func(word string) {
		if word != "" {
			words = append(words, cut(word))
		}
	}
	if r.User.Saved() {
		add(r.User.Username)
		add(r.User.Name)
		add(r.User.Email)
	}
	if r.HTTP != nil && j.env.BrandTitle != nil {
		add(j.env.BrandTitle(r.HTTP.Host))
	}
	return words
}
