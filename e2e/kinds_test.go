package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/certificate"
)

// token is the API token of the administrator of every site.
const token = "the first token of the administrator"

// kindCalls says how the official client speaks about one kind.
type kindCalls struct {
	api string
	// base begins the names of the calls: flowsInstancesList.
	base string
	// schema names the object, key the argument with its key, of the member
	// keyOf.
	schema, key, keyOf string
	// create is the object; patch changes a member of it.
	create, patch map[string]any
	// filters are arguments of lists that find the object, and others that do
	// not.
	hit, miss map[string]any
	// readOnly kinds have no create and no change.
	readOnly bool
	// noUses kinds have nothing that could refer to them.
	noUses bool
}

type object = map[string]any

// The objects of the first calls, which the kinds may refer to.
const (
	aFlow = iota
	aStage
	aBinding
	aPolicy
	aGroup
	aUser
	aRole
	aMapping
	anApp
)

// the returns a reference to a member of one of the first objects.
func the(n int, member string) string { return fmt.Sprintf("$%d.%s", n, member) }

const nowhere = "11111111-1111-4111-8111-111111111111"

func kindsOfTheAPI() []kindCalls {
	public, private, err := certificate.Generate(&certificate.Request{CommonName: "e2e", ValidityDays: 1, Alg: certificate.GenerateEd25519}, time.Now())
	if err != nil {
		panic(err)
	}
	stage := func(base, schema string, more object) kindCalls {
		create := object{"name": "e2e " + base}
		maps.Copy(create, more)
		return kindCalls{api: "StagesApi", base: "stages" + base, schema: schema, key: "stageUuid", keyOf: "pk", create: create, patch: object{"name": "e2e other " + base},
			hit: object{"name": "e2e other " + base}, miss: object{"name": "nobody"}}
	}
	with := func(k kindCalls, patch, hit, miss object) kindCalls {
		maps.Copy(k.patch, patch)
		maps.Copy(k.hit, hit)
		maps.Copy(k.miss, miss)
		return k
	}
	return []kindCalls{
		{api: "FlowsApi", base: "flowsInstances", schema: "Flow", key: "slug", keyOf: "slug",
			create: object{"name": "A", "slug": "e2e-flow", "title": "T", "designation": "recovery"},
			patch:  object{"title": "Other", "deniedAction": "continue", "layout": "sidebar_left", "authentication": "require_authenticated"},
			hit:    object{"slug": "e2e-flow", "name": "A", "designation": "recovery", "deniedAction": "continue", "flowUuid": "$pk"},
			miss:   object{"slug": "none", "name": "B", "deniedAction": "message", "flowUuid": nowhere}},
		{api: "FlowsApi", base: "flowsBindings", schema: "FlowStageBinding", key: "fsbUuid", keyOf: "pk",
			create: object{"target": the(aFlow, "pk"), "stage": the(aStage, "pk"), "order": 71},
			patch:  object{"order": -7, "evaluateOnPlan": true, "reEvaluatePolicies": false, "invalidResponseAction": "restart", "policyEngineMode": "all"},
			hit: object{"order": -7, "target": the(aFlow, "pk"), "stage": the(aStage, "pk"), "evaluateOnPlan": true, "reEvaluatePolicies": false,
				"invalidResponseAction": "restart", "policyEngineMode": "all", "fsbUuid": "$pk", "pbmUuid": "$policybindingmodel_ptr_id"},
			miss: object{"order": 8, "target": nowhere, "stage": nowhere, "fsbUuid": nowhere, "pbmUuid": nowhere, "policies": []any{nowhere}}},
		with(stage("Dummy", "DummyStage", nil), object{"throwError": true}, object{"throwError": true, "stageUuid": "$pk"}, object{"stageUuid": nowhere}),
		with(stage("AccountLockdown", "AccountLockdownStage", nil), object{"deactivateUser": false, "selfServiceCompletionFlow": the(aFlow, "pk")},
			object{"deactivateUser": false, "setUnusablePassword": true, "deleteSessions": true, "revokeTokens": true, "selfServiceCompletionFlow": the(aFlow, "pk"), "stageUuid": "$pk"},
			object{"deactivateUser": true, "setUnusablePassword": false, "deleteSessions": false, "revokeTokens": false, "selfServiceCompletionFlow": nowhere, "stageUuid": nowhere}),
		with(stage("Deny", "DenyStage", nil), object{"denyMessage": "No."}, object{"denyMessage": "No.", "stageUuid": "$pk"}, object{"denyMessage": "Yes.", "stageUuid": nowhere}),
		with(stage("Redirect", "RedirectStage", object{"mode": "static", "targetStatic": "https://example.org/"}), object{"keepContext": false}, nil, nil),
		with(stage("UserLogout", "UserLogoutStage", nil), nil, object{"stageUuid": "$pk"}, object{"stageUuid": nowhere}),
		with(stage("UserLogin", "UserLoginStage", nil), object{"sessionDuration": "hours=3", "terminateOtherSessions": true, "networkBinding": "bind_asn", "geoipBinding": "bind_continent",
			"rememberMeOffset": "days=2", "rememberDevice": "days=5"},
			object{"sessionDuration": "hours=3", "terminateOtherSessions": true, "networkBinding": "bind_asn", "geoipBinding": "bind_continent", "rememberMeOffset": "days=2", "rememberDevice": "days=5", "stageUuid": "$pk"},
			object{"sessionDuration": "hours=4", "networkBinding": "bind_asn_network", "geoipBinding": "bind_continent_country", "rememberMeOffset": "days=3", "rememberDevice": "days=6"}),
		with(stage("Password", "PasswordStage", object{"backends": []any{"authentik.core.auth.InbuiltBackend"}}), object{"failedAttemptsBeforeCancel": 7, "allowShowPassword": true, "configureFlow": the(aFlow, "pk")},
			object{"failedAttemptsBeforeCancel": 7, "allowShowPassword": true, "configureFlow": the(aFlow, "pk")}, object{"failedAttemptsBeforeCancel": 8, "configureFlow": nowhere}),
		with(stage("Identification", "IdentificationStage", object{"userFields": []any{"email", "username"}}),
			object{"enrollmentFlow": the(aFlow, "pk"), "recoveryFlow": the(aFlow, "pk"), "passwordlessFlow": the(aFlow, "pk"), "showSourceLabels": true, "showMatchedUser": false, "caseInsensitiveMatching": false},
			object{"enrollmentFlow": the(aFlow, "pk"), "recoveryFlow": the(aFlow, "pk"), "passwordlessFlow": the(aFlow, "pk"), "showSourceLabels": true, "showMatchedUser": false, "caseInsensitiveMatching": false},
			object{"enrollmentFlow": nowhere, "recoveryFlow": nowhere, "passwordlessFlow": nowhere, "passwordStage": nowhere, "captchaStage": nowhere, "webauthnStage": nowhere}),
		with(stage("AuthenticatorValidate", "AuthenticatorValidateStage", object{"deviceClasses": []any{"totp", "static"}}), object{"notConfiguredAction": "configure", "configurationStages": []any{the(aStage, "pk")}},
			object{"notConfiguredAction": "configure", "configurationStages": []any{the(aStage, "pk"), nowhere}}, object{"notConfiguredAction": "deny", "configurationStages": []any{nowhere}}),
		with(stage("AuthenticatorTotp", "AuthenticatorTOTPStage", object{"digits": "6"}), object{"digits": "8", "friendlyName": "App", "configureFlow": the(aFlow, "pk")},
			object{"digits": "8", "friendlyName": "App", "configureFlow": the(aFlow, "pk"), "stageUuid": "$pk"}, object{"digits": "6", "friendlyName": "Other", "configureFlow": nowhere, "stageUuid": nowhere}),
		with(stage("AuthenticatorStatic", "AuthenticatorStaticStage", nil), object{"tokenCount": 8, "tokenLength": 20, "friendlyName": "Codes", "configureFlow": the(aFlow, "pk")},
			object{"tokenCount": 8, "tokenLength": 20, "friendlyName": "Codes", "configureFlow": the(aFlow, "pk"), "stageUuid": "$pk"}, object{"tokenCount": 6, "tokenLength": 12, "configureFlow": nowhere, "stageUuid": nowhere}),
		with(stage("AuthenticatorWebauthn", "AuthenticatorWebAuthnStage", nil), object{"userVerification": "required", "residentKeyRequirement": "required", "authenticatorAttachment": "platform", "maxAttempts": 3, "configureFlow": the(aFlow, "pk")},
			object{"userVerification": "required", "residentKeyRequirement": "required", "authenticatorAttachment": "platform", "maxAttempts": 3, "configureFlow": the(aFlow, "pk")},
			object{"userVerification": "discouraged", "residentKeyRequirement": "discouraged", "authenticatorAttachment": "cross-platform", "maxAttempts": 7, "configureFlow": nowhere, "deviceTypeRestrictions": []any{nowhere}}),
		{api: "StagesApi", base: "stagesAll", schema: "Stage", key: "stageUuid", keyOf: "pk", readOnly: true, hit: object{"name": "e2e a stage"}, miss: object{"name": "none"}},
		{api: "PoliciesApi", base: "policiesDummy", schema: "DummyPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e dummy", "waitMin": 0, "waitMax": 1}, patch: object{"result": true, "executionLogging": true},
			hit:  object{"name": "e2e dummy", "result": true, "executionLogging": true, "waitMin": 0, "waitMax": 1, "policyUuid": "$pk"},
			miss: object{"name": "none", "waitMin": 3, "waitMax": 9, "policyUuid": nowhere, "created": "@2020-01-01T00:00:00Z", "lastUpdated": "@2020-01-01T00:00:00Z"}},
		{api: "PoliciesApi", base: "policiesExpression", schema: "ExpressionPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e expression", "expression": "return True"}, patch: object{"expression": "return False"},
			hit: object{"expression": "return False", "name": "e2e expression", "policyUuid": "$pk"}, miss: object{"expression": "return True", "policyUuid": nowhere}},
		{api: "PoliciesApi", base: "policiesEventMatcher", schema: "EventMatcherPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e matcher", "action": "login", "app": "authentik.events", "model": "authentik_core.user", "clientIp": "192.0.2.1", "query": `context.auth_method = "password"`},
			patch:  object{"action": nil, "query": `action ~ "log"`},
			hit:    object{"name": "e2e matcher", "app": "authentik.events", "model": "authentik_core.user", "clientIp": "192.0.2.1", "query": `action ~ "log"`, "policyUuid": "$pk"},
			miss:   object{"name": "none", "action": "logout", "app": "authentik.core", "model": "authentik_core.group", "clientIp": "192.0.2.2", "query": "none", "policyUuid": nowhere}},
		{api: "EventsApi", base: "eventsEvents", schema: "Event", key: "eventUuid", keyOf: "pk", noUses: true,
			create: object{"action": "custom_", "app": "e2e"},
			patch: object{"action": "authorize_application", "clientIp": "192.0.2.1", "user": object{"pk": 7, "username": "e2e.user"}, "brand": object{"name": "e2e brand"},
				"expires": "@2099-01-01T00:00:00Z", "context": object{"model": object{"app": "e2e_app", "model_name": "thing", "pk": "1"}, "authorized_application": object{"pk": "2"}, "device": object{"pk": "3"}}},
			hit: object{"action": "authorize", "actions": []any{"login_failed", "authorize_application"}, "clientIp": "192.0.2.1", "username": "e2e.user", "brandName": "e2e brand", "contextModelApp": "e2e_app",
				"contextModelName": "thing", "contextModelPk": "1", "contextAuthorizedApp": "2", "contextDevice": "3"},
			miss: object{"action": "none", "actions": []any{"login_failed"}, "clientIp": "192.0.2.2", "username": "none", "brandName": "none", "contextModelApp": "none", "contextModelName": "none",
				"contextModelPk": "none", "contextAuthorizedApp": "none", "contextDevice": "none"}},
		{api: "PoliciesApi", base: "policiesGeoip", schema: "GeoIPPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e geoip", "countries": []any{"DE", "NO"}, "asns": []any{64496}}, patch: object{"countries": []any{}, "historyMaxDistanceKm": 7, "checkImpossibleTravel": true},
			hit: object{"name": "e2e geoip"}, miss: object{"name": "none"}},
		{api: "PoliciesApi", base: "policiesPassword", schema: "PasswordPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e password", "lengthMin": 12, "symbolCharset": "!? "},
			patch: object{"passwordField": "secret", "amountDigits": 1, "amountUppercase": 2, "amountLowercase": 3, "amountSymbols": 4, "errorMessage": "Longer.", "checkStaticRules": false,
				"checkHaveIBeenPwned": true, "checkZxcvbn": true, "hibpAllowedCount": 5, "zxcvbnScoreThreshold": 3, "executionLogging": true},
			hit: object{"name": "e2e password", "lengthMin": 12, "symbolCharset": "!? ", "passwordField": "secret", "amountDigits": 1, "amountUppercase": 2, "amountLowercase": 3, "amountSymbols": 4,
				"errorMessage": "Longer.", "checkStaticRules": false, "checkHaveIBeenPwned": true, "checkZxcvbn": true, "hibpAllowedCount": 5, "zxcvbnScoreThreshold": 3, "executionLogging": true, "policyUuid": "$pk"},
			miss: object{"name": "none", "lengthMin": 13, "symbolCharset": "?", "passwordField": "none", "amountDigits": 2, "amountUppercase": 3, "amountLowercase": 4, "amountSymbols": 5, "errorMessage": "none",
				"checkStaticRules": true, "checkHaveIBeenPwned": false, "checkZxcvbn": false, "hibpAllowedCount": 6, "zxcvbnScoreThreshold": 4, "policyUuid": nowhere, "created": "@2020-01-01T00:00:00Z", "lastUpdated": "@2020-01-01T00:00:00Z"}},
		{api: "PoliciesApi", base: "policiesPasswordExpiry", schema: "PasswordExpiryPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e expiry", "days": -3}, patch: object{"denyOnly": true},
			hit: object{"name": "e2e expiry", "days": -3, "denyOnly": true, "policyUuid": "$pk"}, miss: object{"name": "none", "days": 4, "denyOnly": false, "policyUuid": nowhere}},
		{api: "PoliciesApi", base: "policiesUniquePassword", schema: "UniquePasswordPolicy", key: "policyUuid", keyOf: "pk",
			create: object{"name": "e2e unique", "numHistoricalPasswords": 5}, patch: object{"passwordField": "secret"},
			hit:  object{"name": "e2e unique", "numHistoricalPasswords": 5, "passwordField": "secret", "policyUuid": "$pk"},
			miss: object{"name": "none", "numHistoricalPasswords": 6, "passwordField": "none", "policyUuid": nowhere}},
		{api: "PoliciesApi", base: "policiesAll", schema: "Policy", key: "policyUuid", keyOf: "pk", readOnly: true,
			hit: object{"search": "e2e a policy", "promptstageIsnull": true}, miss: object{"search": "none", "promptstageIsnull": false}},
		{api: "PoliciesApi", base: "policiesBindings", schema: "PolicyBinding", key: "policyBindingUuid", keyOf: "pk",
			create: object{"target": the(aFlow, "pk"), "policy": the(aPolicy, "pk"), "order": 9}, patch: object{"negate": true, "enabled": false, "timeout": 11, "failureResult": true, "order": 19},
			hit: object{"target": the(aFlow, "policybindingmodel_ptr_id"), "targetIn": []any{nowhere, the(aFlow, "policybindingmodel_ptr_id")}, "policy": the(aPolicy, "pk"), "enabled": false, "order": 19,
				"timeout": 11, "policyIsnull": false},
			miss: object{"target": nowhere, "targetIn": []any{nowhere}, "policy": nowhere, "order": 20, "timeout": 12}},
		{api: "CoreApi", base: "coreUsers", schema: "User", key: "id", keyOf: "pk",
			create: object{"username": "e2e.user", "name": "E. Two", "email": "e2e@example.org", "attributes": object{"city": "Ulm", "n": 7}, "path": "staff/e2e", "groups": []any{the(aGroup, "pk")}, "roles": []any{the(aRole, "pk")}},
			patch:  object{"name": "E. Three", "isActive": false, "type": "external", "lastLogin": "@2026-01-02T03:04:05Z"},
			hit: object{"username": "e2e.user", "name": "E. Three", "email": "e2e@example.org", "isActive": false, "type": []any{"external", "internal"}, "path": "staff/e2e", "pathStartswith": "staff/", "uuid": "$uuid",
				"attributes": `{"city": "Ulm"}`, "groupsByName": []any{"e2e a group"}, "groupsByPk": []any{the(aGroup, "pk")}, "rolesByName": []any{"e2e a role"}, "rolesByPk": []any{the(aRole, "pk")},
				"isSuperuser": false, "lastLogin": "@2026-01-02T03:04:05Z", "lastLoginGt": "@2026-01-01T00:00:00Z", "lastLoginLt": "@2026-01-03T00:00:00Z", "lastLoginIsnull": false,
				"dateJoinedGt": "@2020-01-01T00:00:00Z", "lastUpdatedGt": "@2020-01-01T00:00:00Z", "dateJoinedLt": "@2099-01-01T00:00:00Z", "lastUpdatedLt": "@2099-01-01T00:00:00Z", "includeGroups": false, "includeRoles": false},
			miss: object{"username": "none", "name": "E. Two", "email": "none@example.org", "type": []any{"service_account"}, "path": "staff", "pathStartswith": "nowhere", "uuid": nowhere, "attributes": `{"city": "Bonn"}`,
				"groupsByName": []any{"none"}, "groupsByPk": []any{nowhere}, "rolesByName": []any{"none"}, "rolesByPk": []any{nowhere}, "lastLogin": "@2020-01-01T00:00:00Z", "lastLoginGt": "@2099-01-01T00:00:00Z",
				"lastLoginLt": "@2020-01-01T00:00:00Z", "dateJoined": "@2020-01-01T00:00:00Z", "dateJoinedGt": "@2099-01-01T00:00:00Z", "dateJoinedLt": "@2020-01-01T00:00:00Z", "lastUpdated": "@2020-01-01T00:00:00Z",
				"lastUpdatedGt": "@2099-01-01T00:00:00Z", "lastUpdatedLt": "@2020-01-01T00:00:00Z"}},
		{api: "CoreApi", base: "coreGroups", schema: "Group", key: "groupUuid", keyOf: "pk",
			create: object{"name": "e2e group", "attributes": object{"a": object{"b": []any{1, 2}}}, "users": []any{the(aUser, "pk")}, "parents": []any{the(aGroup, "pk")}, "roles": []any{the(aRole, "pk")}},
			patch:  object{"isSuperuser": true},
			hit: object{"name": "e2e group", "isSuperuser": true, "attributes": `{"a": {"b": [2]}}`, "membersByPk": []any{the(aUser, "pk")}, "membersByUsername": []any{"e2e.a.user"},
				"includeUsers": false, "includeParents": true, "includeChildren": true, "includeInheritedRoles": true},
			miss: object{"name": "none", "attributes": `{"a": {"b": [3]}}`, "membersByPk": []any{99999}, "membersByUsername": []any{"none"}}},
		{api: "RbacApi", base: "rbacRoles", schema: "Role", key: "uuid", keyOf: "pk", create: object{"name": "e2e role"}, patch: object{"name": "e2e other role"},
			hit: object{"name": "e2e other role", "managedIsnull": true}, miss: object{"name": "none", "managed": []any{"x"}, "managedIsnull": false, "users": 99999, "groups": nowhere}},
		{api: "RbacApi", base: "rbacInitialPermissions", schema: "InitialPermissions", key: "id", keyOf: "pk", create: object{"name": "e2e initial", "role": the(aRole, "pk")},
			patch: object{"name": "e2e initially"}, hit: object{"name": "e2e initially"}, miss: object{"name": "none"}},
		{api: "CoreApi", base: "coreTokens", schema: "Token", key: "identifier", keyOf: "identifier", create: object{"identifier": "e2e-token", "intent": "app_password"},
			patch: object{"description": "For tests", "expires": "@2030-01-01T00:00:00Z"},
			hit:   object{"identifier": "e2e-token", "intent": "app_password", "description": "For tests", "expires": "@2030-01-01T00:00:00Z", "expiring": true, "userUsername": "akadmin"},
			miss:  object{"identifier": "none", "intent": "recovery", "description": "none", "expires": "@2031-01-01T00:00:00Z", "userUsername": "none", "managed": "x"}},
		{api: "CoreApi", base: "coreBrands", schema: "Brand", key: "brandUuid", keyOf: "brand_uuid", create: object{"domain": "e2e.example.org"},
			patch: object{"brandingTitle": "E2E", "brandingLogo": "/static/l.svg", "brandingFavicon": "/static/f.svg", "brandingDefaultFlowBackground": "/static/b.jpg", "flowAuthentication": the(aFlow, "pk"),
				"flowInvalidation": the(aFlow, "pk"), "flowRecovery": the(aFlow, "pk"), "flowUnenrollment": the(aFlow, "pk"), "flowUserSettings": the(aFlow, "pk"), "flowDeviceCode": the(aFlow, "pk"),
				"flowLockdown": the(aFlow, "pk"), "flowUserSwitch": the(aFlow, "pk"), "flowRequest": the(aFlow, "pk"), "attributes": object{"settings": object{"locale": "de"}}},
			hit: object{"domain": "e2e.example.org", "brandingTitle": "E2E", "brandingLogo": "/static/l.svg", "brandingFavicon": "/static/f.svg", "brandingDefaultFlowBackground": "/static/b.jpg", "brandUuid": "$brand_uuid",
				"flowAuthentication": the(aFlow, "pk"), "flowInvalidation": the(aFlow, "pk"), "flowRecovery": the(aFlow, "pk"), "flowUnenrollment": the(aFlow, "pk"), "flowUserSettings": the(aFlow, "pk"),
				"flowDeviceCode": the(aFlow, "pk"), "flowLockdown": the(aFlow, "pk"), "flowUserSwitch": the(aFlow, "pk"), "flowRequest": the(aFlow, "pk")},
			miss: object{"domain": "none", "brandingTitle": "none", "brandUuid": nowhere, "flowAuthentication": nowhere, "webCertificate": nowhere, "clientCertificates": []any{nowhere}, "_default": true}},
		{api: "CryptoApi", base: "cryptoCertificatekeypairs", schema: "CertificateKeyPair", key: "kpUuid", keyOf: "pk", create: object{"name": "e2e pair", "certificateData": public, "keyData": private},
			patch: object{"name": "e2e other pair"}, hit: object{"name": "e2e other pair", "hasKey": true, "keyType": []any{"ed25519"}}, miss: object{"name": "none", "hasKey": false, "keyType": []any{"rsa"}, "managed": "x"}},
		with(stage("Mtls", "MutualTLSStage", object{"mode": "optional", "certAttribute": "email", "userAttribute": "email"}), object{"mode": "required"},
			object{"mode": "required", "certAttribute": "email", "userAttribute": "email"}, object{"mode": "optional", "certAttribute": "subject", "userAttribute": "username", "certificateAuthorities": []any{nowhere}}),
		{api: "CoreApi", base: "coreApplications", schema: "Application", key: "slug", keyOf: "slug", create: object{"name": "E2E app", "slug": "e2e-app"},
			patch: object{"metaLaunchUrl": "https://example.org/", "metaDescription": "D", "metaPublisher": "P", "group": "G", "openInNewTab": true, "metaHide": true, "policyEngineMode": "all"},
			hit:   object{"slug": "e2e-app", "name": "E2E app", "metaLaunchUrl": "https://example.org/", "metaDescription": "D", "metaPublisher": "P", "group": "G"},
			miss:  object{"slug": "none", "name": "none", "metaLaunchUrl": "https://example.com/", "metaDescription": "none", "metaPublisher": "none", "group": "none"}},
		{api: "CoreApi", base: "coreApplicationEntitlements", schema: "ApplicationEntitlement", key: "pbmUuid", keyOf: "pbm_uuid", create: object{"name": "e2e entitlement", "app": the(anApp, "pk")},
			patch: object{"name": "e2e other entitlement", "attributes": object{"a": 1}}, hit: object{"name": "e2e other entitlement", "app": the(anApp, "pk"), "pbmUuid": "$pbm_uuid"},
			miss: object{"name": "none", "app": nowhere, "pbmUuid": nowhere}},
		{api: "PropertymappingsApi", base: "propertymappingsNotification", schema: "NotificationWebhookMapping", key: "pmUuid", keyOf: "pk",
			create: object{"name": "e2e mapping", "expression": "return notification.body"}, patch: object{"expression": "return None"}, hit: object{"name": "e2e mapping"}, miss: object{"name": "none"}},
		{api: "PropertymappingsApi", base: "propertymappingsAll", schema: "PropertyMapping", key: "pmUuid", keyOf: "pk", readOnly: true,
			hit: object{"name": "e2e a mapping", "managedIsnull": true}, miss: object{"name": "none", "managed": []any{"x"}, "managedIsnull": false}},
		{api: "EventsApi", base: "eventsTransports", schema: "NotificationTransport", key: "uuid", keyOf: "pk", create: object{"name": "e2e transport"},
			patch: object{"mode": "webhook", "webhookUrl": "https://example.org/hook", "webhookMappingBody": the(aMapping, "pk"), "webhookMappingHeaders": the(aMapping, "pk"), "sendOnce": true},
			hit:   object{"name": "e2e transport", "mode": "webhook", "webhookUrl": "https://example.org/hook", "sendOnce": true}, miss: object{"name": "none", "mode": "email", "webhookUrl": "https://example.com/", "sendOnce": false}},
		{api: "EventsApi", base: "eventsRules", schema: "NotificationRule", key: "pbmUuid", keyOf: "pk", create: object{"name": "e2e rule"},
			patch: object{"severity": "warning", "destinationGroup": the(aGroup, "pk"), "destinationEventUser": true},
			hit:   object{"name": "e2e rule", "severity": "warning", "destinationGroupName": "e2e a group"}, miss: object{"name": "none", "severity": "alert", "destinationGroupName": "none"}},
		{api: "ManagedApi", base: "managedBlueprints", schema: "BlueprintInstance", key: "instanceUuid", keyOf: "pk",
			create: object{"name": "e2e blueprint", "content": "version: 1\nmetadata: {name: e2e}\nentries: []\n"}, patch: object{"enabled": false, "context": object{"a": 1}},
			hit: object{"name": "e2e blueprint"}, miss: object{"name": "none", "path": "none.yaml"}},
	}
}

// TestOfficialClientSpeaksOfEveryKind creates, reads, changes, filters and
// deletes an object of each kind, and checks all answers against the published
// schema.
func TestOfficialClientSpeaksOfEveryKind(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			var todo script
			add := todo.add
			add(201, "FlowsApi", "flowsInstancesCreate", "Flow", object{"flowRequest": object{"name": "e2e a flow", "slug": "e2e-a-flow", "title": "T", "designation": "enrollment"}})
			add(201, "StagesApi", "stagesDummyCreate", "DummyStage", object{"dummyStageRequest": object{"name": "e2e a stage"}})
			add(201, "FlowsApi", "flowsBindingsCreate", "FlowStageBinding", object{"flowStageBindingRequest": object{"target": the(aFlow, "pk"), "stage": the(aStage, "pk"), "order": 1}})
			add(201, "PoliciesApi", "policiesDummyCreate", "DummyPolicy", object{"dummyPolicyRequest": object{"name": "e2e a policy"}})
			add(201, "CoreApi", "coreGroupsCreate", "Group", object{"groupRequest": object{"name": "e2e a group"}})
			add(201, "CoreApi", "coreUsersCreate", "User", object{"userRequest": object{"username": "e2e.a.user", "name": "A"}})
			add(201, "RbacApi", "rbacRolesCreate", "Role", object{"roleRequest": object{"name": "e2e a role"}})
			add(201, "PropertymappingsApi", "propertymappingsNotificationCreate", "NotificationWebhookMapping",
				object{"notificationWebhookMappingRequest": object{"name": "e2e a mapping", "expression": "return 1"}})
			add(201, "CoreApi", "coreApplicationsCreate", "Application", object{"applicationRequest": object{"name": "e2e an app", "slug": "e2e-an-app"}})

			type listed struct {
				at   int
				want bool
				what string
				id   int
			}
			var lists []listed
			for _, k := range kindsOfTheAPI() {
				request := strings.ToLower(k.schema[:1]) + k.schema[1:] + "Request"
				made := map[string]int{"StagesApi": aStage, "PoliciesApi": aPolicy, "PropertymappingsApi": aMapping}[k.api]
				key := object{}
				if !k.readOnly {
					made = add(201, k.api, k.base+"Create", k.schema, object{request: k.create})
				}
				key[k.key] = the(made, k.keyOf)
				with := func(name string, v any) object { o := maps.Clone(key); o[name] = v; return o }
				add(200, k.api, k.base+"Retrieve", k.schema, key)
				if !k.noUses {
					add(200, k.api, k.base+"UsedByList", "UsedBy[]", key)
				}
				add(404, k.api, k.base+"Retrieve", k.schema, object{k.key: map[bool]any{true: 99999, false: nowhere}[k.key == "id"]})
				if !k.readOnly {
					add(200, k.api, k.base+"Update", k.schema, with(request, k.create))
					add(200, k.api, k.base+"PartialUpdate", k.schema, with("patched"+k.schema+"Request", k.patch))
					// The client itself insists on some lists.
					add(400, k.api, k.base+"Create", k.schema, object{request: object{"backends": []any{}, "countries": []any{}}})
				}
				list := func(args object, want bool) {
					for name, v := range args {
						// "$pk" is a member of the object that was made.
						if text, ok := v.(string); ok && strings.HasPrefix(text, "$") && !strings.Contains(text, ".") {
							args[name] = the(made, text[1:])
						}
					}
					at := add(200, k.api, k.base+"List", "Paginated"+k.schema+"List", args)
					lists = append(lists, listed{at, want, fmt.Sprintf("%s %v", k.base, args), made})
				}
				list(object{"search": "e2e", "pageSize": 100}, k.base != "flowsBindings" || k.schema == "FlowStageBinding")
				list(maps.Clone(k.hit), true)
				for _, name := range slices.Sorted(maps.Keys(k.hit)) {
					list(object{name: k.hit[name], "pageSize": 100}, true)
				}
				for _, name := range slices.Sorted(maps.Keys(k.miss)) {
					list(object{name: k.miss[name], "pageSize": 100}, false)
				}
				// Among those that the filters leave: there may be more events than a page takes.
				ordered := object{"ordering": "-" + k.keyOf, "pageSize": 100}
				maps.Copy(ordered, k.hit)
				list(ordered, true)
				if !k.readOnly {
					add(204, k.api, k.base+"Destroy", "", key)
					add(404, k.api, k.base+"Retrieve", k.schema, key)
				}
			}
			answers := todo.run(t, s)
			for _, l := range lists {
				found := false
				pk := answers[l.id].identity()
				results, _ := answers[l.at].Data["results"].([]any)
				for _, r := range results {
					o, _ := r.(object)
					found = found || apiAnswer{Data: o}.identity() == pk
				}
				if found != l.want {
					t.Errorf("%s finds the object: %v, want %v", l.what, found, l.want)
				}
			}
		})
	}
}

// identity is the key of the object that came back.
func (a apiAnswer) identity() string {
	for _, name := range []string{"pk", "brand_uuid", "uuid"} {
		if v, ok := a.Data[name]; ok {
			return fmt.Sprint(v)
		}
	}
	return ""
}
