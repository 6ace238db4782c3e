package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/resource"
)

// userPKs names users; the parameter may be repeated, or hold several numbers
// with commas between them.
var userPKs = resource.Filter{Name: "user_pks", Type: "integer", Many: true, Required: true}

type bulkDeleteSessionResponse struct {
	Deleted int64 `json:"deleted" field:"required"`
}

// endSessions ends all sessions of some users, as far as the caller may: people
// without the permission end their own.
func endSessions(c *call) error {
	var values []string
	for _, v := range c.r.URL.Query()[userPKs.Name] {
		values = append(values, strings.Split(v, ",")...)
	}
	given, problem := userPKs.Decode(values)
	if problem != nil {
		return field.Errors{userPKs.Name: {*problem}}
	}
	list, _ := given.([]any)
	if len(list) == 0 {
		return field.Errorf(userPKs.Name, field.CodeRequired, "Name at least one user.")
	}
	users := make([]int64, len(list))
	for i, v := range list {
		users[i] = v.(int64) // as Decode returns integers
	}
	var ended int
	err := c.write(func(ctx context.Context, w *resource.Write) (err error) {
		ended, err = c.api.Kinds.EndSessions(ctx, w, users, c.scope)
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, bulkDeleteSessionResponse{int64(ended)})
}
