package api

import (
	"context"
	"net/http"

	"github.com/weir-id/weir/internal/resource"
)

type tokenView struct {
	Key string `json:"key" field:"readonly"`
}

// viewKey shows the key of a token, which is recorded.
func viewKey(c *call) error {
	var key string
	err := c.write(func(ctx context.Context, w *resource.Write) (err error) {
		key, err = c.api.Kinds.TokenKey(ctx, w, c.ref)
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, tokenView{key})
}

type tokenSetKeyRequest struct {
	Key string `json:"key" field:"required"`
}

// setKey gives a token another key.
func setKey(c *call) error {
	var body tokenSetKeyRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	err := c.write(func(ctx context.Context, w *resource.Write) error {
		return c.api.Kinds.SetTokenKey(ctx, w, c.ref, body.Key)
	})
	if err != nil {
		return err
	}
	return c.done()
}
