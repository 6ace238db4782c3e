package password

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

const (
	// maxLine is more than any line HASH:COUNT has, in bytes.
	maxLine = 128
	// lastPart is how much of the file is read at once when the search is over.
	lastPart = 4096
)

// errFile says that a file does not hold what it should: a search in it would
// find nothing, and a leaked password would pass.
var errFile = errors.New("the file is not in the format HASH:COUNT, one line each, sorted by hash")

// CheckFile tells at the start of the program whether a file can be used; an
// empty path is none.
func CheckFile(path string) error {
	if path == "" {
		return nil
	}
	_, err := countInFile(path, strings.Repeat("0", hashDigits))
	return err
}

// countInFile finds a hash in a file by halving it, some twenty small reads for
// all passwords that have ever leaked. The file is opened each time, so that
// it can be replaced by a newer one.
func countInFile(path, hash string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errFile
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return 0, err
	}
	return (&search{file: f, want: hash, end: info.Size()}).run()
}

// search is the part of a file in which a hash must stand if it stands
// anywhere: lines that begin at start or later and before end.
type search struct {
	file       io.ReaderAt
	want       string
	start, end int64
	// above and below are the hashes around the part, as far as they are known.
	above, below string
}

func (s *search) run() (int64, error) {
	if s.end == 0 {
		return 0, errFile
	}
	for s.end-s.start > lastPart {
		at, line, err := s.lineAfter((s.start + s.end) / 2)
		if err != nil {
			return 0, err
		}
		hash, count, err := s.parse(line)
		switch {
		case err != nil:
			return 0, err
		case hash == s.want:
			return count, nil
		case hash < s.want:
			s.start, s.above = at, hash
		default:
			s.end, s.below = at, hash
		}
	}
	part := make([]byte, s.end-s.start)
	if _, err := s.file.ReadAt(part, s.start); err != nil {
		return 0, err
	}
	if s.above != "" {
		_, part, _ = bytes.Cut(part, []byte("\n")) // the line of above itself
	}
	for line := range bytes.Lines(part) {
		hash, count, err := s.parse(line)
		if err != nil {
			return 0, err
		}
		if hash == s.want {
			return count, nil
		}
		s.above = hash
	}
	return 0, nil
}

// lineAfter reads the first line that begins after an offset.
func (s *search) lineAfter(offset int64) (at int64, line []byte, err error) {
	buffer := make([]byte, 2*maxLine)
	n, err := s.file.ReadAt(buffer, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, nil, err
	}
	before, rest, found := bytes.Cut(buffer[:n], []byte("\n"))
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	if !found || !whole {
		return 0, nil, errFile
	}
	return offset + int64(len(before)) + 1, line, nil
}

// parse reads a line of the part; one that is out of order says that the file
// is not sorted.
func (s *search) parse(line []byte) (hash string, count int64, err error) {
	hash, count, ok := parseLine(string(bytes.TrimSpace(line)), hashDigits)
	if !ok || hash <= s.above || s.below != "" && hash >= s.below {
		return "", 0, errFile
	}
	return hash, count, nil
}
