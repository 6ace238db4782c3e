package password

import (
	"encoding/json"
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/ccojocar/zxcvbn-go/data"
	"github.com/ccojocar/zxcvbn-go/frequency"
	"github.com/ccojocar/zxcvbn-go/match"

	"github.com/ccojocar/zxcvbn-go/adjacency"
	"github.com/ccojocar/zxcvbn-go/matching"
)

// The estimator makes its tables of words when the package is loaded, and they
// take 6 MB: a sixth of what an idle server may take, and few installations ask
// for them. So they are dropped at once; the estimator makes them again when it
// finds none, out of the lists of words, which were dropped as well.

//go:linkname dictionaryMatchers github.com/ccojocar/zxcvbn-go/matching.dictionaryMatchers
var dictionaryMatchers []match.Matcher

//go:linkname matchers github.com/ccojocar/zxcvbn-go/matching.matchers
var matchers []match.Matcher

//go:linkname adjacencyGraphs github.com/ccojocar/zxcvbn-go/matching.adjacencyGraphs
var adjacencyGraphs []adjacency.Graph

func init() {
	dictionaryMatchers, matchers, adjacencyGraphs = nil, nil, nil
	clear(frequency.Lists)
}

// loadWords makes the tables again, once and before anybody asks.
var loadWords = sync.OnceFunc(func() {
	for name, file := range map[string]string{"MaleNames": "MaleNames", "FemaleNames": "FemaleNames", "Surname": "Surnames", "English": "English", "Passwords": "Passwords"} {
		var list frequency.List
		if err := json.Unmarshal(data.MustAsset("data/"+file+".json"), &list); err != nil {
			panic("words of the estimator: " + err.Error()) // they are part of the program
		}
		frequency.Lists[name] = frequency.List{Name: name, List: list.List}
	}
	matching.Omnimatch("", nil)
	clear(frequency.Lists)
})
