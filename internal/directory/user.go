package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
)

const (
	maxUsername = 150 // characters
	maxEmail    = 254 // bytes, RFC 5321 errata 1690
	maxName     = 1024
	maxUPN      = 1024
	defaultPath = "users"
)

// normalise puts a user into the form in which it is stored and returns what is
// wrong with it.
func normalise(u *identity.User) field.Errors {
	var errs field.Errors
	bad := func(name, code, message, text string) {
		errs = errs.Add(name, field.Error{Code: code, Message: message, String: text})
	}
	if u.Path == "" {
		u.Path = defaultPath
	}
	if u.Type == "" {
		u.Type = identity.Internal
	}
	if u.Attributes == nil {
		u.Attributes = map[string]any{}
	}
	u.Username = norm.NFC.String(u.Username)
	switch {
	case u.Username == "":
		bad("username", field.CodeBlank, "user.username.blank", "Enter a user name.")
	case utf8.RuneCountInString(u.Username) > maxUsername:
		bad("username", field.CodeMaxLength, "user.username.long", "Enter a user name of at most 150 characters.")
	case strings.ContainsFunc(u.Username, func(r rune) bool { return !usernameRune(r) }):
		bad("username", field.CodeInvalid, "user.username.characters", "Use only letters, digits and @ . + - _ in the user name.")
	case mixesScripts(u.Username), mixesScripts(norm.NFKC.String(u.Username)):
		bad("username", field.CodeInvalid, "user.username.scripts", "Write the user name in one alphabet.")
	}
	if u.Email != "" && !ValidEmail(u.Email) {
		bad("email", field.CodeInvalid, "user.email.invalid", "Enter an e-mail address such as name@example.com.")
	}
	if utf8.RuneCountInString(u.Name) > maxName || strings.ContainsFunc(u.Name, unprintable) {
		bad("name", field.CodeInvalid, "user.name.invalid", "Enter a name of at most 1024 characters, without control characters.")
	}
	if upn := upnOf(u); len(upn) > maxUPN || strings.ContainsFunc(upn, hidden) {
		bad("attributes", field.CodeInvalid, "user.upn.invalid", "Enter a upn of at most 1024 bytes, without invisible characters.")
	}
	if badText(u.Attributes) {
		errs = errs.Add("attributes", attributesProblem)
	}
	if !slices.Contains(u.Type.Choices(), string(u.Type)) {
		bad("type", field.CodeInvalidChoice, "field.invalid_choice", "Choose one of internal, external, service_account, internal_service_account.")
	}
	if len(u.Path) > maxName || strings.ContainsFunc(u.Path, hidden) {
		bad("path", field.CodeInvalid, "user.path.invalid", "Enter a path of at most 1024 bytes, without invisible characters.")
	}
	return errs
}

var attributesProblem = field.Error{Code: field.CodeInvalid, Message: "attributes.text", String: "Remove the NUL characters from the attributes."}

// unprintable finds what must not be in a display name: controls, and the marks
// that reorder the text around them. Joiners stay; some scripts need them.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
}

// upnOf is the user principal name, which lives in the attributes.
func upnOf(u *identity.User) string {
	upn, _ := u.Attributes["upn"].(string)
	return upn
}

// CreateUser stores a new user and fills ID, UUID, password (unusable when
// empty) and times. Problems are field.Errors; a taken name has code unique.
func (d *Directory) CreateUser(ctx context.Context, tx store.Tx, u *identity.User) error {
	if err := normalise(u).Err(); err != nil {
		return err
	}
	if u.PasswordHash == "" {
		u.PasswordHash = password.Unusable
	}
	if err := checkHash(u.PasswordHash); err != nil {
		return err
	}
	if err := d.free(ctx, tx, u); err != nil {
		return err
	}
	if u.UUID == uuid.Nil {
		u.UUID = uuid.New()
	}
	now := d.now()
	u.PasswordChangedAt, u.JoinedAt, u.UpdatedAt, u.LastLogin = now, now, now, nil
	err := tx.QueryRow(ctx, `
		insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path,
			attributes, password_hash, password_changed_at, date_joined, last_updated, search_text)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13, $14)
		returning id`,
		u.UUID, u.Username, UsernameKey(u.Username), u.Name, u.Email, Key(u.Email), Key(upnOf(u)), u.Active, string(u.Type), u.Path,
		store.JSON(u.Attributes), u.PasswordHash, now, searchText(u)).Scan(&u.ID)
	return taken(err, "create user")
}

// UpdateUser stores all fields but password, last login and joining time, and
// sets UpdatedAt. Problems are field.Errors; the error wraps flow.ErrNoPerson
// when the user is gone.
func (d *Directory) UpdateUser(ctx context.Context, tx store.Tx, u *identity.User) error {
	if err := normalise(u).Err(); err != nil {
		return err
	}
	if err := d.free(ctx, tx, u); err != nil {
		return err
	}
	u.UpdatedAt = d.now()
	n, err := tx.Exec(ctx, `
		update users set username = $2, username_key = $3, name = $4, email = $5, email_key = $6, upn_key = $7,
			is_active = $8, type = $9, path = $10, attributes = $11, last_updated = $12, search_text = $13
		where id = $1`,
		u.ID, u.Username, UsernameKey(u.Username), u.Name, u.Email, Key(u.Email), Key(upnOf(u)),
		u.Active, string(u.Type), u.Path, store.JSON(u.Attributes), u.UpdatedAt, searchText(u))
	if err != nil {
		return taken(err, fmt.Sprintf("update user %d", u.ID))
	}
	return found(n, u.ID)
}

// searchText is what a search for people looks into: their names and addresses
// as they are compared, a line each.
func searchText(u *identity.User) string {
	return strings.Join([]string{UsernameKey(u.Username), Key(u.Name), Key(u.Email)}, "\n")
}

// DeleteUser removes a user with sessions, tokens and memberships. References
// in configuration objects are the catalog's business. The error wraps
// flow.ErrNoPerson when there is none.
func (d *Directory) DeleteUser(ctx context.Context, tx store.Tx, id int64) error {
	n, err := tx.Exec(ctx, "delete from users where id = $1", id)
	if err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	return found(n, id)
}

// free refuses a user name that another user has. The unique index decides in
// the end; asking first keeps the transaction usable for the caller's answer.
func (d *Directory) free(ctx context.Context, tx store.Tx, u *identity.User) error {
	ids, err := store.Select(ctx, tx, store.Column[int64], "select id from users where username_key = $1 and id <> $2", UsernameKey(u.Username), u.ID)
	if err != nil {
		return fmt.Errorf("look for user name: %w", err)
	}
	if len(ids) > 0 {
		return nameTaken()
	}
	return nil
}

func nameTaken() field.Errors {
	return field.Errors{"username": {{Code: field.CodeUnique, Message: "user.username.taken", String: "Choose another user name; this one is taken."}}}
}

// taken turns the database's conflicts into field errors.
func taken(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case store.ConflictOn(err, "users", "username_key"):
		return nameTaken()
	case store.ConflictOn(err, "users", "uuid"):
		return field.Errorf("uuid", field.CodeUnique, "Choose another uuid; this one is taken.")
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func found(n, id int64) error {
	if n == 0 {
		return fmt.Errorf("user %d: %w", id, flow.ErrNoPerson)
	}
	return nil
}

// UserColumns are the columns of table users, called alias in the query, that
// ScanUser reads.
func UserColumns(alias string) string {
	return strings.ReplaceAll(`u.id, u.uuid, u.username, u.name, u.email, u.is_active, u.type, u.path, u.attributes,
		u.password_hash, u.password_changed_at, u.last_login, u.date_joined, u.last_updated`, "u.", alias+".")
}

// UserDest returns the scan destinations for UserColumns.
func UserDest(u *identity.User) []any {
	return []any{&u.ID, &u.UUID, &u.Username, &u.Name, &u.Email, &u.Active, (*string)(&u.Type), &u.Path, store.JSON(&u.Attributes),
		&u.PasswordHash, &u.PasswordChangedAt, &u.LastLogin, &u.JoinedAt, &u.UpdatedAt}
}

func scanUser(row store.Row) (identity.User, error) {
	var u identity.User
	err := row.Scan(UserDest(&u)...)
	return u, err
}

// User reads one user. The error wraps flow.ErrNoPerson when there is none.
func (d *Directory) User(ctx context.Context, q store.Querier, id int64) (identity.User, error) {
	u, err := scanUser(q.QueryRow(ctx, "select "+UserColumns("u")+" from users u where u.id = $1", id))
	if errors.Is(err, store.ErrNotFound) {
		return u, fmt.Errorf("user %d: %w", id, flow.ErrNoPerson)
	}
	if err != nil {
		return u, fmt.Errorf("read user %d: %w", id, err)
	}
	return u, nil
}
