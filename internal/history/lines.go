package history

import (
	"fmt"
	"strings"
)

const (
	// around is how many equal lines are shown before and after a difference.
	around = 3
	// maxCells bounds the work of finding what two texts have in common.
	maxCells = 1 << 20
)

// edit is a line of one of two texts, or of both.
type edit struct {
	sign byte // ' ', '-' or '+'
	line string
}

// lines is a unified diff of two texts, without the names of files.
func lines(a, b string) []string { return hunks(edits(split(a), split(b))) }

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// edits makes b of a: what is equal at both ends is kept, between it the longest
// common subsequence of lines, unless the texts are too long to look for it.
func edits(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append([]edit{{' ', a[len(a)-1]}}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	common := func(int, int) int { return 0 }
	if len(a)*len(b) <= maxCells {
		common = subsequences(a, b)
	}
	out := head
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common(i+1, j) >= common(i, j+1):
			out = append(out, edit{'-', a[i]})
			i++
		default:
			out = append(out, edit{'+', b[j]})
			j++
		}
	}
	return append(out, tail...)
}

// subsequences returns the length of the longest common subsequence of a[i:] and
// b[j:].
func subsequences(a, b []string) func(i, j int) int {
	width := len(b) + 1
	cells := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				cells[i*width+j] = cells[(i+1)*width+j+1] + 1
			} else {
				cells[i*width+j] = max(cells[(i+1)*width+j], cells[i*width+j+1])
			}
		}
	}
	return func(i, j int) int { return int(cells[i*width+j]) }
}

// hunks keeps the differences with the lines around them. A head such as
// "@@ -3,4 +3,5 @@" says where in the two texts each piece begins and how many
// lines of them it holds.
func hunks(all []edit) []string {
	out := []string{}
	for i := 0; i < len(all); {
		if all[i].sign == ' ' {
			i++
			continue
		}
		from, to := max(0, i-around), i
		for equal := 0; to < len(all) && equal <= 2*around; to++ {
			if equal++; all[to].sign != ' ' {
				equal = 0
			}
		}
		for to > i && all[to-1].sign == ' ' {
			to--
		}
		to = min(len(all), to+around)
		out = append(out, hunk(all, from, to)...)
		i = to
	}
	return out
}

func hunk(all []edit, from, to int) []string {
	count := func(edits []edit, sign byte) (n int) {
		for _, e := range edits {
			if e.sign == ' ' || e.sign == sign {
				n++
			}
		}
		return n
	}
	at := func(sign byte) string {
		first, n := count(all[:from], sign), count(all[from:to], sign)
		if n > 0 {
			first++
		}
		return fmt.Sprintf("%d,%d", first, n)
	}
	out := []string{"@@ -" + at('-') + " +" + at('+') + " @@"}
	for _, e := range all[from:to] {
		out = append(out, string(e.sign)+e.line)
	}
	return out
}
