package weir

import (
	"context"
	"strconv"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
)

// mayImpersonate tells whether somebody may act as another person: while the
// settings allow it at all, with the permission for that person, and only who
// may do all that the other may (rule 46).
func (in *Installation) mayImpersonate(ctx context.Context, by, as *identity.Person) (bool, error) {
	if !in.catalog.Snapshot().Settings().Impersonation || by.ID == as.ID || !as.Active {
		return false, nil
	}
	ok, err := in.access.Can(ctx, by, access.Impersonate, "user", strconv.FormatInt(as.ID, 10))
	if err != nil || !ok {
		return false, err
	}
	return in.access.MayActOn(ctx, by, as.ID)
}
