package password

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-id/weir/internal/outbound"
)

const (
	// prefixDigits is how much of a hash leaves the process: a million
	// passwords that leaked, and many more that did not, begin alike.
	prefixDigits = 5
	// hashDigits is the length of a SHA-1 in hex.
	hashDigits = 40
	// askTimeout bounds the wait for the service; somebody looks at the page
	// meanwhile.
	askTimeout = 3 * time.Second
	// maxRange bounds an answer, in bytes: some thousand lines.
	maxRange = 256 << 10
	// maxFailures is after how many failures in a row the service is left alone,
	// pause for how long.
	maxFailures = 3
	pause       = 30 * time.Second
)

// Leaks looks passwords up among those that have leaked: at a service that
// speaks the range protocol of Have I Been Pwned, and in a file where the
// service does not answer. It is safe for concurrent use.
type Leaks struct {
	// URL is the address of the service, to which the beginning of a hash is
	// added; empty for none.
	URL string
	// File is the path of a file in the format HASH:COUNT, sorted by hash; empty
	// for none.
	File string
	// Client makes the calls.
	Client *http.Client
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Logger is told when the service cannot be reached. Nil discards.
	Logger *slog.Logger

	mu       sync.Mutex
	failures int
	resume   time.Time
}

var (
	errNoSource = errors.New("neither a service nor a file with leaked passwords is configured")
	errPaused   = errors.New("the service did not answer before and is asked again later")
	errAnswer   = errors.New("the answer is not in the range format")
)

// Count tells how often the password with a hash (40 upper-case hex digits) has
// leaked. An error means that nobody knows; it tells nothing about the hash.
func (l *Leaks) Count(ctx context.Context, hash string) (int64, error) {
	if l == nil || l.URL == "" && l.File == "" {
		return 0, errNoSource
	}
	var failed error
	if l.URL != "" {
		count, err := l.ask(ctx, hash)
		if err == nil {
			return count, nil
		}
		failed = fmt.Errorf("ask the service: %w", err)
	}
	if l.File == "" || ctx.Err() != nil {
		return 0, failed
	}
	count, err := countInFile(l.File, hash)
	if err != nil {
		return 0, errors.Join(failed, fmt.Errorf("read hibp_file: %w", err))
	}
	return count, nil
}

// ask asks the service, unless it has failed too often just now.
func (l *Leaks) ask(ctx context.Context, hash string) (int64, error) {
	if !l.admit() {
		return 0, errPaused
	}
	limit := askTimeout
	if end, ok := ctx.Deadline(); ok {
		// Time has to be left for the file.
		limit = min(limit, time.Until(end)/2)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	count, err := l.fetch(within, hash)
	if err != nil && ctx.Err() != nil {
		return 0, context.Cause(ctx) // whoever asked has gone, which is no fault of the service
	}
	l.note(ctx, err)
	return count, err
}

// admit tells whether the service may be asked. After a pause one caller tries
// it and the others go on without.
func (l *Leaks) admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures < maxFailures {
		return true
	}
	now := l.now()
	if now.Before(l.resume) {
		return false
	}
	l.resume = now.Add(pause)
	return true
}

func (l *Leaks) note(ctx context.Context, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.failures = 0
		return
	}
	if l.failures++; l.failures < maxFailures {
		return
	}
	l.resume = l.now().Add(pause)
	if l.failures == maxFailures && l.Logger != nil {
		l.Logger.WarnContext(ctx, "the service for leaked passwords is out of reach", slog.Any("error", err))
	}
}

func (l *Leaks) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

// fetch makes the call.
func (l *Leaks) fetch(ctx context.Context, hash string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(l.URL, "/")+"/"+hash[:prefixDigits], nil)
	if err != nil {
		return 0, errors.New("the address of the service cannot be used")
	}
	// With padding, the size of the answer does not tell what was asked.
	req.Header.Set("Add-Padding", "true")
	req.Header.Set("User-Agent", "weir")
	answer, err := l.Client.Do(req)
	if err != nil {
		return 0, withoutURL(err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return 0, fmt.Errorf("it answered with status %d", answer.StatusCode)
	}
	body, err := outbound.Body(answer, maxRange)
	if err != nil {
		return 0, withoutURL(err)
	}
	return countInRange(body, hash[prefixDigits:])
}

// withoutURL is the error without the address, which ends in the beginning of
// the hash.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// countInRange finds a hash among the lines SUFFIX:COUNT of an answer. Rows with
// count 0 are padding. An answer that has another line, or none, is no answer.
func countInRange(body []byte, suffix string) (int64, error) {
	var count int64
	lines := 0
	for line := range bytes.Lines(body) {
		have, n, ok := parseLine(string(bytes.TrimSpace(line)), hashDigits-prefixDigits)
		if !ok {
			return 0, errAnswer
		}
		lines++
		if have == suffix {
			count = max(count, n)
		}
	}
	if lines == 0 {
		return 0, errAnswer
	}
	return count, nil
}

// parseLine reads HEX:COUNT; the digits come back in upper case.
func parseLine(line string, digits int) (hash string, count int64, ok bool) {
	hash, text, found := strings.Cut(line, ":")
	if !found || len(hash) != digits || strings.Trim(hash, "0123456789abcdefABCDEF") != "" {
		return "", 0, false
	}
	count, err := strconv.ParseInt(text, 10, 64)
	if err != nil || count < 0 {
		return "", 0, false
	}
	return strings.ToUpper(hash), count, true
}
