package api

import (
	"context"
	"net/http"
	"time"

	"github.com/weir-id/weir/internal/resource"
)

// Passwords makes the stored form of passwords; *directory.Directory does.
type Passwords interface {
	HashPassword(ctx context.Context, plain string) (string, error)
}

type userPasswordSetRequest struct {
	Password string `json:"password" field:"required,notrim"`
}

// userPasswordHashSetRequest has the hash where the other one has the password.
type userPasswordHashSetRequest struct {
	Password string `json:"password" field:"required"`
}

// setPassword gives somebody a password. It is hashed before the transaction
// begins: nobody else could write meanwhile.
func setPassword(c *call) error {
	var body userPasswordSetRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	hash, err := c.api.Passwords.HashPassword(c.ctx, body.Password)
	if err != nil {
		return err
	}
	return c.storePassword(hash)
}

// setPasswordHash takes over a password from elsewhere.
func setPasswordHash(c *call) error {
	var body userPasswordHashSetRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	return c.storePassword(body.Password)
}

func (c *call) storePassword(hash string) error {
	keep := ""
	if own, _ := c.ref.Key.(int64); own == c.visit.User.ID && !c.visit.Token {
		keep = c.visit.Session.Key
	}
	err := c.write(func(ctx context.Context, w *resource.Write) error {
		return c.api.Kinds.SetPassword(ctx, w, c.ref, hash, keep)
	})
	if err != nil {
		return err
	}
	return c.done()
}

type userPath struct {
	Paths []string `json:"paths" field:"readonly"`
}

// userPaths answers with the folders that users are in.
func userPaths(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	paths, err := c.api.Kinds.Paths(c.ctx, v, c.r.URL.Query().Get("search"))
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, userPath{paths})
}

type userServiceAccountRequest struct {
	Name        string `json:"name" field:"required"`
	CreateGroup bool   `json:"create_group" field:"default"`
	Expiring    bool   `json:"expiring" field:"default"`
	// Expires is 360 days from now where it is missing.
	Expires *time.Time `json:"expires"`
}

// userServiceAccountResponse holds the key of the account's app password: this
// is the one answer that shows it to whoever may not see keys.
type userServiceAccountResponse struct {
	Username string `json:"username" field:"required"`
	Token    string `json:"token" field:"required"`
	UserUID  string `json:"user_uid" field:"required"`
	UserPK   int64  `json:"user_pk" field:"required"`
	GroupPK  string `json:"group_pk,omitempty"`
}

// createService makes an account for a program.
func createService(c *call) error {
	body := userServiceAccountRequest{Expiring: true}
	if err := c.decode(&body); err != nil {
		return err
	}
	var made *resource.Service
	err := c.write(func(ctx context.Context, w *resource.Write) (err error) {
		made, err = c.api.Kinds.CreateService(ctx, w, resource.NewService{Name: body.Name, Group: body.CreateGroup, Expiring: body.Expiring, Expires: body.Expires})
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, userServiceAccountResponse{Username: made.User.Username, Token: made.Key, UserUID: made.UID, UserPK: made.User.ID, GroupPK: made.Group})
}
