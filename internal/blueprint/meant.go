package blueprint

import "fmt"

// misspelt warns of a key that has no meaning. It is no error, since files of
// other versions may carry it.
func (r *reader) misspelt(m member, known ...string) {
	r.warn(m.keyAt, "the key %q has no meaning here and is ignored%s", m.key, meant(m.key, known...))
}

// meant asks whether a word was meant to be a known one, if one is near.
func meant(word string, known ...string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// nearest returns the known word that is one edit in three letters away, at most
// two; "" if none is.
func nearest(word string, known []string) string {
	best, name := min(3, len(word)/3+1), ""
	for _, k := range known {
		if d := edits(word, k); d < best {
			best, name = d, k
		}
	}
	return name
}

// edits is the Levenshtein distance. Words of more than 96 bytes are like none.
func edits(a, b string) int {
	if len(a) > 96 || len(b) > 96 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
