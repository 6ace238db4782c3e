package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// kills is how often the program is killed.
	kills = 8
	// walkers sign in and out, steppers walk a flow of two questions, writers
	// use the API, all of them at once.
	walkers, steppers, writers = 5, 2, 4
)

// TestKilledProgramsLoseNothing kills the program at random moments while many
// people are at work, starts it again on what is there, and compares the store
// with what the people were told. WEIR_SEED chooses other moments and other
// work.
func TestKilledProgramsLoseNothing(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			n := seed(t)
			t.Logf("WEIR_SEED=%d", n)
			in := newInstallation(t, db, "WEIR_GUESS_ADDRESS=10000", "WEIR_BOOTSTRAP_TOKEN="+token, "WEIR_BOOTSTRAP_PASSWORD=the first administrator's password")
			if out, err := in.command("apply", filepath.Join("testdata", "flows.yaml")).CombinedOutput(); err != nil {
				t.Fatalf("apply: %v\n%s", err, out)
			}
			c := &crashes{t: t, in: in}
			c.restart()
			w := newWork(c, n)
			done := w.start()
			when := rand.New(rand.NewPCG(n, 2))
			for range kills {
				c.await(60+when.Int64N(140), done)
				// A request has just begun; where in it the program dies is up to
				// the clock.
				<-time.After(time.Duration(when.Int64N(int64(4 * time.Millisecond))))
				c.crash()
				c.restart()
			}
			c.finish()
			select {
			case <-done:
			case <-time.After(2 * patience):
				t.Fatal("the work does not end")
			}
			if t.Failed() {
				return
			}
			checked := make(chan struct{})
			go func() { defer close(checked); w.check() }()
			<-checked
			c.crash()
			checkStore(t, in.open())
			t.Logf("%d requests, %d without an answer; %s", c.begun, c.unanswered, w.summary())
			if c.unanswered < kills {
				t.Errorf("only %d requests were cut off by %d kills", c.unanswered, kills)
			}
		})
	}
}

// crashes is a program that is killed and started again, as those who use it
// see it.
type crashes struct {
	t  *testing.T
	in *installation

	mu sync.Mutex
	p  *program
	// next is closed when the program after this one is ready; over when the
	// work should end.
	next  chan struct{}
	over  bool
	dying bool
	begun int64
	// reached is closed once target requests have begun.
	target     int64
	reached    chan struct{}
	unanswered int
}

// restart starts the program and tells those who wait for it.
func (c *crashes) restart() {
	p := c.in.serve()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
	}
	c.p, c.next, c.dying = p, make(chan struct{}), false
}

// await returns when n more requests have begun. Nobody ends the work before
// the last kill unless something is wrong.
func (c *crashes) await(n int64, done <-chan struct{}) {
	c.t.Helper()
	c.mu.Lock()
	c.target, c.reached = c.begun+n, make(chan struct{})
	reached := c.reached
	c.mu.Unlock()
	select {
	case <-reached:
	case <-done:
		c.t.FailNow()
	case <-time.After(patience):
		c.t.Fatal("nobody works any more")
	}
}

// crash kills the program.
func (c *crashes) crash() {
	c.mu.Lock()
	c.dying = true
	p := c.p
	c.mu.Unlock()
	p.kill()
	for line := range strings.Lines(string(p.log.data)) {
		if strings.Contains(line, "level=ERROR") {
			c.t.Errorf("the program logged: %s", line)
		}
	}
}

// finish lets everybody end what they are doing; nothing is killed any more.
func (c *crashes) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

func (c *crashes) working() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.over
}

// ask sends a request to the program that runs now. Without an answer it
// returns false once the next program is ready.
func (c *crashes) ask(v *visitor, method, path string, body object) (response, bool) {
	c.mu.Lock()
	p, next := c.p, c.next
	if c.begun++; c.reached != nil && c.begun == c.target {
		close(c.reached)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	r, err := v.ask(ctx, p.URL, method, path, body)
	if err == nil {
		return r, true
	}
	c.mu.Lock()
	c.unanswered++
	explained := c.dying || p != c.p
	c.mu.Unlock()
	if !explained {
		c.t.Errorf("%s %s has no answer from a program that lives: %v", method, path, err)
		runtime.Goexit()
	}
	select {
	case <-next:
		return response{}, false
	case <-time.After(2 * patience):
		c.t.Error("no program came after the one that was killed")
		runtime.Goexit()
	}
	return response{}, false
}

// insist asks until there is an answer, for what changes nothing.
func (c *crashes) insist(v *visitor, method, path string, body object) response {
	for {
		if r, ok := c.ask(v, method, path, body); ok {
			return r
		}
	}
}

// work is all that goes on while programs are killed, with what those who do it
// remember.
type work struct {
	c        *crashes
	walkers  []*walker
	steppers []*stepper
	writers  []*writer
}

func newWork(c *crashes, n uint64) *work {
	w := &work{c: c}
	dice := func(stream int) *rand.Rand { return rand.New(rand.NewPCG(n, 100+uint64(stream))) }
	for i := range walkers {
		w.walkers = append(w.walkers, newWalker(c, dice(i), fmt.Sprintf("walker%d", i)))
	}
	for range steppers {
		w.steppers = append(w.steppers, &stepper{c: c, v: newVisitor(c.t, "")})
	}
	for i := range writers {
		w.writers = append(w.writers, newWriter(c, dice(walkers+i), fmt.Sprintf("writer%d", i)))
	}
	return w
}

// start sets everybody to work; what it returns is closed when all have ended.
func (w *work) start() <-chan struct{} {
	var all sync.WaitGroup
	run := func(step func()) {
		all.Go(func() {
			for w.c.working() && !w.c.t.Failed() {
				step()
			}
		})
	}
	for _, x := range w.walkers {
		run(x.step)
	}
	for _, x := range w.steppers {
		run(x.step)
	}
	for _, x := range w.writers {
		run(x.step)
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

// check compares the store with what everybody remembers.
func (w *work) check() {
	events := readEvents(w.c.t, w.c.in.open())
	for _, x := range w.walkers {
		x.check(events)
	}
	for _, x := range w.writers {
		x.check(events)
	}
	events.onceEach()
}

func (w *work) summary() string {
	logins, lost, walks, objects, unsure := 0, 0, 0, 0, 0
	for _, x := range w.walkers {
		logins, lost = logins+x.logins, lost+x.lost
	}
	for _, x := range w.steppers {
		walks += x.walks
	}
	for _, x := range w.writers {
		objects, unsure = objects+len(x.objects), unsure+x.unsure
	}
	return fmt.Sprintf("%d logins of which %d were not answered, %d walks, %d objects of which %d writes were not answered", logins, lost, walks, objects, unsure)
}
