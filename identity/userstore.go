package identity

import "context"

// UserStore is where a program that embeds Weir keeps people of its own. Its
// methods are called by many goroutines at once and have to heed the end of ctx.
//
// An error says that the store could not tell. Then nobody signs in, neither
// these people nor others, and no guess is counted as a wrong one.
type UserStore interface {
	// Find returns whom somebody means who typed a name into a login page, nil
	// for nobody. It has to take as long for nobody as for somebody, or the time
	// tells who has an account.
	Find(ctx context.Context, typed string) (*StoreUser, error)
	// CheckPassword tells whether the password is that of the user with an id. The
	// empty id stands for nobody: it is asked about so that nobody takes as long
	// as somebody, and its answer is not used. How often somebody may guess is
	// limited before.
	CheckPassword(ctx context.Context, id, password string) (bool, error)
}

// StoreUser is somebody in a UserStore.
type StoreUser struct {
	// ID names the user for good: it never changes and is never given to
	// anybody else.
	ID string
	// Username, Name and Email are copied at each sign-in. The user name follows
	// the rules of Weir and must not be one that somebody else has here.
	Username string
	Name     string
	Email    string
}
