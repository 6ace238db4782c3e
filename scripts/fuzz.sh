#!/bin/sh
# Fuzzes each target for a moment: scripts/fuzz.sh 2s
set -eu
for file in $(grep -rl --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' .); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$file"); do
		"${GO:-go}" test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x -parallel 2
	done
done
