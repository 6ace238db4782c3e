//go:build race

package expression_test

// raceEnabled tells that the race detector runs, under which sync.Pool forgets
// on purpose and package regexp allocates far more.
const raceEnabled = true
