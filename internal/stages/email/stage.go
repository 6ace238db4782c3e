package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
)

// What the plan remembers, and what policies may put into it.
const (
	keySent   = flow.Key[bool]("email_sent")
	keyTo     = flow.Key[string]("email")
	keyHeader = flow.Key[string]("consent_header")
	// keyGate has the page behind the link say the same in its own language.
	keyGate = flow.Key[bool]("weir_mail_link")
	// keyMailed is the address that the link went to.
	keyMailed = flow.Key[string]("weir_mailed_to")
)

// header is what the page behind the link asks for: programs that look at links
// do not press buttons.
const header = "Continue with the link from your mail."

// What people are told.
const (
	msgNobody  = "There is nobody to send a mail to. Start again."
	msgChanged = "The e-mail address of the account has changed since the mail was sent. Start again."
	msgBroken  = "The mail could not be written. Tell an administrator."
)

// Reasons why nothing was sent, the last part of ids of texts.
const (
	noServer  = "off"
	noAddress = "address"
	notNow    = "send"
)

// problems are the texts of them for clients of the API.
var problems = map[string]string{
	noServer:  "No mail server is configured.",
	noAddress: "The account has no e-mail address.",
	notNow:    "The mail cannot be sent now. Try again later.",
}

// Letter is a link that is to be sent.
type Letter struct {
	// Flow is where it leads, with Query and what Token stands for.
	Flow  *flow.Flow
	Query url.Values
	Token flowtoken.New
	// To is the address; empty for a letter that is only pretended.
	To string
	// Person is whom it is about.
	Person *identity.Person
	// Name is what their requests are counted under.
	Name string
	// Again tells that it was asked for once more at Stage; Most and Within bound
	// how often.
	Again    bool
	Stage    uuid.UUID
	Most     int
	Within   time.Duration
	Subject  string
	Template string
	Purpose  mail.Purpose
	Client   netip.Addr
	// Language is what the person wants, as a browser says it.
	Language string
	Via      *mail.Via
}

type stage struct {
	config   Config
	links    Links
	accounts Accounts
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, err := x.ContextUser(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	if p == nil {
		return flow.Deny(msgNobody), nil
	}
	switch x.Restored() {
	case string(flowtoken.Mail(x.StageID)):
		return s.arrive(x, p)
	case string(flowtoken.Recovery):
		// An administrator's link does not prove the mailbox, and is as good.
		return flow.Skip(), nil
	}
	c := &Challenge{Secret: quiet(x, p)}
	out := flow.Ask(c)
	if sent, _ := keySent.Get(x.Context); sent {
		return out, nil
	}
	return s.send(ctx, x, p, out, &c.State, false)
}

// Respond implements flow.Stage: whoever answers wants another mail. No answer ends
// the stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, _ flow.Response) (flow.Outcome, error) {
	p, err := x.ContextUser(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	if p == nil {
		return flow.Deny(msgNobody), nil
	}
	told, errs := &State{}, field.Errors{}
	out, err := s.send(ctx, x, p, flow.AskAgain(errs), told, true)
	// The errors are part of the answer, which is written after the transaction.
	errs[field.NonField] = []field.Error{told.error()}
	if apply := out.Apply; apply != nil {
		out.Apply = func(ctx context.Context, tx flow.Tx) error {
			err := apply(ctx, tx)
			errs[field.NonField][0] = told.error()
			return err
		}
	}
	return out, err
}

// error is how clients are told: a request for another mail is never an answer that
// ends the stage.
func (t *State) error() field.Error {
	switch {
	case t.Wait > 0:
		return field.Error{Code: "email-limited", Message: "email.limited", Count: t.Wait, String: fmt.Sprintf("Too many mails were asked for. Minutes to wait: %d.", t.Wait)}
	case t.Problem != "":
		return field.Error{Code: field.CodeInvalid, Message: "email.error." + t.Problem, String: problems[t.Problem]}
	}
	return field.Error{Code: "email-sent", Message: TextSent, String: "email-sent"}
}

// arrive ends the stage for whoever came by its link.
func (s *stage) arrive(x *flow.Exec, p *identity.Person) (flow.Outcome, error) {
	// What was proved is that somebody reads one address (rule 19).
	to, _ := keyMailed.Get(x.Context)
	if !strings.EqualFold(to, s.recipient(x, p)) {
		return flow.Deny(msgChanged), nil
	}
	out := flow.Done().Prove(flow.Proof{Fact: flow.FactMailbox, User: p.ID, Channel: "mail:" + strings.ToLower(to), At: x.Now})
	// Neither a recovery nor a login brings back an account that was shut (rule 24).
	if !s.config.ActivateUserOnSuccess || p.Active || quiet(x, p) {
		return out, nil
	}
	out = out.Record(flow.Event{Action: string(event.UserWrite), User: p, Context: map[string]any{"created": false, "is_active": true}})
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		saved, err := s.accounts.WriteUser(ctx, tx, p.User, directory.Change{Edit: func(u *identity.User) { u.Active = true }})
		p.User = saved
		return err
	}
	return out, nil
}

// quiet tells whether whoever walks the flow must not learn what becomes of the mail,
// because a name is all that they have given (rule 18).
func quiet(x *flow.Exec, p *identity.Person) bool {
	return x.Flow.Designation == flow.Recovery || x.Flow.Designation == flow.Authentication && p.Backend == ""
}

// recipient is the address of the plan (rule 25), else that of the person.
func (*stage) recipient(x *flow.Exec, p *identity.Person) string {
	if to, ok := keyTo.Get(x.Context); ok && to != "" {
		return to
	}
	return p.Email
}

// send adds to an outcome that the mail is queued with the step; told becomes what
// the page may say about it. The work is the same for names that nobody has, up to
// the rows of the database.
func (s *stage) send(ctx context.Context, x *flow.Exec, p *identity.Person, out flow.Outcome, told *State, again bool) (flow.Outcome, error) {
	recovery, hush := x.Flow.Designation == flow.Recovery, quiet(x, p)
	to := s.recipient(x, p)
	switch {
	case !p.Saved(), recovery && !p.Human():
		to = ""
	case to == "" && !hush:
		told.Problem = noAddress
		return out, nil
	}
	plan, err := x.PutAside(p, "consent", "mail-link", map[string]any{"mode": "always_require"})
	if err != nil {
		return flow.Outcome{}, err
	}
	keyHeader.Set(plan.Context, header)
	keyGate.Set(plan.Context, true)
	keyMailed.Set(plan.Context, to)
	l := s.config.Letter(p, to, x.HTTP())
	l.Flow, l.Query, l.Name = x.Flow, x.LinkQuery(), cmp.Or(x.Typed(), p.Username)
	l.Token = flowtoken.New{Identifier: "mail-" + uuid.NewString(), Purpose: flowtoken.Mail(x.StageID), User: p.ID, Plan: plan,
		Expires: x.Now.Add(s.config.TokenExpiry.Duration() + time.Minute)}
	l.Again, l.Stage, l.Most, l.Within = again, x.StageID, int(s.config.RecoveryMaxAttempts), s.config.RecoveryCacheTimeout.Duration()
	if recovery {
		l.Purpose = mail.Recovery
	}
	ready, err := s.links.Write(ctx, l)
	if errors.Is(err, mail.ErrNotConfigured) {
		told.Problem = noServer
		return out, nil
	}
	if err != nil {
		return flow.Deny(msgBroken).Record(flow.Event{Action: string(event.ConfigurationError),
			Context: map[string]any{"message": "The mail of an e-mail stage cannot be written: " + err.Error(), "stage": x.Stage()}}), nil
	}
	keySent.Set(x.Context, true)
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		return tell(told, ready.Send(ctx, tx), hush)
	}
	return out, nil
}

// minutes rounds up: whoever waits for as long is let in.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// tell keeps of an error what the page may say. Whatever depends on the account is
// not said where that is secret.
func tell(told *State, err error, secret bool) error {
	var limited *guard.LimitedError
	switch {
	case err == nil:
	case errors.As(err, &limited):
		if limited.Tell() || !secret {
			told.Wait = minutes(limited.Wait)
		}
	case errors.Is(err, mail.ErrFull), errors.Is(err, mail.ErrMessage):
		if !secret {
			told.Problem = notNow
		}
	default:
		return err
	}
	return nil
}
