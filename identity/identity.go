// Package identity holds the people that flows and policies speak of, as plain
// values: users, groups and authenticators. It stores nothing and checks
// nothing; rules and storage are package internal/directory.
package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// UserType says what a user is for.
type UserType string

// The types of users on the wire.
const (
	Internal               UserType = "internal"
	External               UserType = "external"
	ServiceAccount         UserType = "service_account"
	InternalServiceAccount UserType = "internal_service_account"
)

// Choices lists the types of users.
func (UserType) Choices() []string {
	return []string{string(Internal), string(External), string(ServiceAccount), string(InternalServiceAccount)}
}

// AnonymousName is what a visitor without a session is called in titles and events.
const AnonymousName = "AnonymousUser"

// User is one account. The zero value is the anonymous visitor.
type User struct {
	// ID is the integer primary key; 0 means not stored (anonymous, or typed at
	// an identification page that pretends the user exists).
	ID   int64
	UUID uuid.UUID
	// Username is unique after normalisation (NFKC and case folding).
	Username string
	Name     string
	// Email may be empty and need not be unique.
	Email  string
	Active bool
	Type   UserType
	// Path files users into folders; "users" by default.
	Path       string
	Attributes map[string]any
	// PasswordHash is the encoded hash; one that starts with "!" never verifies.
	PasswordHash      string
	PasswordChangedAt time.Time
	LastLogin         *time.Time
	JoinedAt          time.Time
	UpdatedAt         time.Time
}

// Saved tells whether the user has a row of its own.
func (u *User) Saved() bool { return u.ID != 0 }

// UID is the stable opaque id that clients get as subject: the SHA-256 hex of
// "<id>-<installation id>".
func (u *User) UID(installID string) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(u.ID, 10) + "-" + installID))
	return hex.EncodeToString(sum[:])
}

// Group is a set of users. Members of a group count as members of its parents.
type Group struct {
	ID         uuid.UUID
	Name       string
	Superuser  bool
	Attributes map[string]any
	Parents    []uuid.UUID
}

// Authenticator is one confirmed second factor or passkey of a user.
type Authenticator struct {
	ID int64
	// Class is the device class on the wire: "totp", "static", "webauthn",
	// "duo", "sms" or "email".
	Class    string
	Name     string
	LastUsed *time.Time
}

// GroupsFunc reads all groups of a user, ancestors included.
type GroupsFunc func(ctx context.Context) ([]Group, error)

// Person is a user as one request sees them: the row, and the groups read at
// most once, when somebody asks. It is safe for concurrent use.
type Person struct {
	User
	// Backend names the back end that checked this person's password during
	// the execution; empty when none did. Policies test for its presence.
	Backend string
	// Assurance is how sure the browser session of this person is that it is them;
	// zero for people who are not the visitor.
	Assurance Assurance
	// Impersonator is who really signed in and acts as this person for now; nil
	// for people who act for themselves.
	Impersonator *Person

	load GroupsFunc
	once sync.Mutex
	done bool
	all  []Group
}

// NewPerson returns u with groups read by load on first use; a nil load means
// that u is in no group.
func NewPerson(u User, load GroupsFunc) *Person { return &Person{User: u, load: load} }

// Anonymous returns the visitor without a session.
func Anonymous() *Person { return &Person{} }

// WithBackend returns the same person, marked as checked by backend. The
// groups are read anew when asked for.
func (p *Person) WithBackend(backend string) *Person {
	return &Person{User: p.User, Backend: backend, Assurance: p.Assurance, Impersonator: p.Impersonator, load: p.Groups}
}

// Human tells whether a person can read mails and recover: service accounts cannot
// (rule 20).
func (p *Person) Human() bool { return p.Type != ServiceAccount && p.Type != InternalServiceAccount }

// DisplayName is the user name, or AnonymousName for the anonymous visitor.
func (p *Person) DisplayName() string {
	if p.Username == "" && !p.Saved() {
		return AnonymousName
	}
	return p.Username
}

// Groups returns all groups, ancestors included. An error is not kept, so a
// later call tries again.
func (p *Person) Groups(ctx context.Context) ([]Group, error) {
	if p.load == nil || !p.Saved() {
		return nil, nil
	}
	p.once.Lock()
	defer p.once.Unlock()
	if !p.done {
		all, err := p.load(ctx)
		if err != nil {
			return nil, err
		}
		p.all, p.done = all, true
	}
	return p.all, nil
}

// Superuser tells whether an active person has a superuser group, also by
// inheritance. The anonymous visitor never is one.
func (p *Person) Superuser(ctx context.Context) (bool, error) {
	if !p.Saved() || !p.Active {
		return false, nil
	}
	groups, err := p.Groups(ctx)
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		if g.Superuser {
			return true, nil
		}
	}
	return false, nil
}

// InGroup tells whether the person is in the group, also by inheritance.
func (p *Person) InGroup(ctx context.Context, id uuid.UUID) (bool, error) {
	groups, err := p.Groups(ctx)
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		if g.ID == id {
			return true, nil
		}
	}
	return false, nil
}

// Assurance is how sure it is that somebody is who they say they are: what the ID
// tokens of OpenID Connect call acr and amr (OpenID Connect Core, section 2).
type Assurance struct {
	// ACR is the level, empty when nothing was proved.
	ACR string `json:"acr"`
	// AMR are the methods of RFC 8176 by which it was proved, sorted.
	AMR []string `json:"amr"`
	// At is when the newest of it was proved; zero when nothing was.
	At time.Time `json:"at,omitzero"`
}

// The levels are named after the authenticator assurance levels of NIST SP 800-63B,
// whose first ask for one factor and for two. Whether the authenticators themselves
// satisfy it is for whoever allows them to say.
const (
	OneFactor  = "aal1"
	TwoFactors = "aal2"
)
