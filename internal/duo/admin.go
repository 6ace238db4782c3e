package duo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// User is somebody whom Duo knows.
type User struct {
	ID       string `json:"user_id"`
	Username string `json:"username"`
	// Enrolled tells that they have a phone.
	Enrolled bool `json:"is_enrolled"`
}

const (
	// pageSize is how many users Duo gives at once, maxPages how many pages are
	// read.
	pageSize = 300
	maxPages = 500
)

// errEndless is returned for lists that do not end.
var errEndless = errors.New("duo lists more users than are read")

// Users calls each with every page of users (Admin API, "Retrieve Users"). An error
// of each ends it.
func (c *Client) Users(ctx context.Context, each func([]User) error) error {
	offset := int64(0)
	for range maxPages {
		users, next, err := c.page(ctx, offset)
		if err != nil {
			return err
		}
		if err := each(users); err != nil {
			return err
		}
		if next <= offset {
			return nil
		}
		offset = next
	}
	return errEndless
}

// page reads one page; next is where the following one begins, 0 for none.
func (c *Client) page(ctx context.Context, offset int64) (users []User, next int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var meta struct {
		Next int64 `json:"next_offset"`
	}
	params := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.FormatInt(offset, 10)}}
	err = c.call(ctx, http.MethodGet, "/admin/v1/users", params, &users, &meta)
	return users, meta.Next, err
}
