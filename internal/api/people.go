package api

import (
	"net/http"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// peopleRoutes are the calls about people, groups, roles, tokens and sessions
// that not every kind has.
func (a *API) peopleRoutes() []Route {
	user, group, role := a.Kinds.Model("authentik_core.user"), a.Kinds.Model("authentik_core.group"), a.Kinds.Model("authentik_rbac.role")
	token, session := a.Kinds.Model("authentik_core.token"), a.Kinds.Model("authentik_core.authenticatedsession")
	none := func(call string, body *Shape) Doc { return Doc{Call: call, Body: body, Status: http.StatusNoContent} }
	account, accountOfRole := valueOf(userAccountRequest{}), valueOf(userAccountRequest{}).named("UserAccountSerializerForRoleRequest")
	return []Route{
		{http.MethodPost, "core/users/{id}/set_password/", onOne(user, resource.ResetPassword), none("create", valueOf(userPasswordSetRequest{})), setPassword},
		{http.MethodPost, "core/users/{id}/set_password_hash/", onOne(user, resource.ResetPassword), none("create", valueOf(userPasswordHashSetRequest{})), setPasswordHash},
		{http.MethodPost, "core/users/{id}/impersonate/", onOne(user, access.Impersonate), none("create", valueOf(impersonationRequest{})), impersonate},
		{http.MethodGet, "core/users/impersonate_end/", signedIn, Doc{Call: "retrieve", Status: http.StatusNoContent}, endImpersonation},
		{http.MethodPost, "core/users/{id}/recovery/", onOne(user, resource.ResetPassword), Doc{Call: "create", Body: valueOf(userRecoveryLinkRequest{}), OptionalBody: true, Answer: valueOf(link{})}, recoveryLink},
		{http.MethodPost, "core/users/{id}/recovery_email/", onOne(user, resource.ResetPassword), Doc{Call: "create", Body: valueOf(userRecoveryEmailRequest{}), Status: http.StatusNoContent}, recoveryEmail},
		{http.MethodPost, "core/users/account_lockdown/", signedIn.and("for somebody else authentik_core.change_user (object)"), Doc{Call: "create", Summary: "Start the lockdown flow for an account",
			Body: valueOf(userAccountLockdownRequest{}), OptionalBody: true, Answer: valueOf(link{})}, lockAccount},
		{http.MethodGet, "core/users/paths/", onAll(user, access.View), Doc{Call: "retrieve", Query: []resource.Filter{{Name: "search"}},
			Answer: valueOf(userPath{})}, userPaths},
		{http.MethodPost, "core/users/service_account/", onAll(user, access.Add).and("add_token; add_group for a group"), Doc{Call: "create", Body: valueOf(userServiceAccountRequest{Expiring: true}),
			Answer: valueOf(userServiceAccountResponse{})}, createService},
		{http.MethodPost, "core/groups/{group_uuid}/add_user/", onOne(group, resource.AddUserToGroup), none("create", account), member(true)},
		{http.MethodPost, "core/groups/{group_uuid}/remove_user/", onOne(group, resource.RemoveUserFromGroup), none("create", account), member(false)},
		{http.MethodPost, "rbac/roles/{uuid}/add_user/", onOne(role, access.Change), none("create", accountOfRole), holder(true)},
		{http.MethodPost, "rbac/roles/{uuid}/remove_user/", onOne(role, access.Change), none("create", accountOfRole), holder(false)},
		{http.MethodGet, "core/tokens/{identifier}/view_key/", onOne(token, resource.ViewTokenKey), Doc{Call: "retrieve", Answer: valueOf(tokenView{})}, viewKey},
		{http.MethodPost, "core/tokens/{identifier}/set_key/", onOne(token, resource.SetTokenKey), none("create", valueOf(tokenSetKeyRequest{})), setKey},
		{http.MethodDelete, "core/authenticated_sessions/bulk_delete/", onSome(session, access.Delete), Doc{Call: "destroy", Query: []resource.Filter{userPKs},
			Answer: valueOf(bulkDeleteSessionResponse{})}, endSessions},
	}
}
