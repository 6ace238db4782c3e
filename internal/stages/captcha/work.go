package captcha

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

// How much work there is. Each round looks for a number after about 2^zeroBits
// tries; several rounds take about as long each time, where one would be done at
// once or take for ever. Together they are about 260,000 hashes: a second for
// the script on a telephone.
const (
	workRounds   = 16
	workZeroBits = 14
	// workLife is how long a piece of work is good for.
	workLife = 10 * time.Minute
)

// work makes and checks pieces of work for one place. A piece is a text
//
//	weir1.<time of issue>.<zero bits>.<rounds>.<random>.<HMAC of the place and all that>
//
// so that nothing has to be stored to recognise it, and what it asks for cannot
// be changed. Round i, from 0 on, asks for a number n below 2^32 such that the
// SHA-256 of the HMAC's 32 characters, i and n (in four bytes each, the high one
// first) begins with that many zero bits. The token is "<piece>~<n>,<n>,...", one
// n for each round in base 36.
type work struct {
	key []byte
	// place is the browser, flow and binding for which it is good.
	place string
}

const workVersion = "weir1"

func (w work) issue(now time.Time) string {
	random := make([]byte, 9)
	_, _ = rand.Read(random) // never fails
	piece := fmt.Sprintf("%s.%s.%d.%d.%s", workVersion, strconv.FormatInt(now.Unix(), 36), workZeroBits, workRounds, base64.RawURLEncoding.EncodeToString(random))
	return piece + "." + w.mac(piece)
}

func (w work) mac(piece string) string {
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%d:%s%s", len(w.place), w.place, piece)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// verdict is what became of a piece of work.
type verdict int

const (
	wrong verdict = iota
	expired
	right
)

// check judges a token and returns the piece that it is about.
func (w work) check(token string, now time.Time) (string, verdict) {
	piece, numbers, _ := strings.Cut(token, "~")
	end := strings.LastIndexByte(piece, '.')
	if end < 0 || !hmac.Equal([]byte(piece[end+1:]), []byte(w.mac(piece[:end]))) {
		return "", wrong
	}
	// From here on the piece is one that issue has made.
	parts := strings.Split(piece, ".")
	issued, err := strconv.ParseInt(parts[1], 36, 64)
	zeros, err2 := strconv.Atoi(parts[2])
	rounds, err3 := strconv.Atoi(parts[3])
	if err != nil || err2 != nil || err3 != nil {
		return "", wrong
	}
	if age := now.Sub(time.Unix(issued, 0)); age < -time.Minute || age >= workLife {
		return "", expired
	}
	found := strings.Split(numbers, ",")
	if len(found) != rounds {
		return "", wrong
	}
	for i, text := range found {
		n, err := strconv.ParseUint(text, 36, 32)
		if err != nil || !fits(piece[end+1:], i, uint32(n), zeros) {
			return "", wrong
		}
	}
	return piece, right
}

func fits(mac string, round int, n uint32, zeros int) bool {
	text := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte(mac), uint32(round)), n)
	sum := sha256.Sum256(text)
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:8])) >= zeros
}

// checkWork judges a token. A good one is used up in the store before it counts,
// so that it is good once, also for parallel answers and for flows that begin
// anew.
func (s *stage) checkWork(ctx context.Context, x *flow.Exec, token string) (*field.Error, error) {
	if len(token) > maxToken {
		return again, nil
	}
	piece, v := work{s.env.Key, x.Place()}.check(token, x.Now)
	switch v {
	case wrong:
		return again, nil
	case expired:
		return late, nil
	}
	n, err := x.CountFailure(ctx, "captcha "+piece)
	if err != nil {
		return nil, fmt.Errorf("use up piece of work: %w", err)
	}
	if n > 1 {
		return late, nil
	}
	return nil, nil
}
