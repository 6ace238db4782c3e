package e2e

import "testing"

// TestOfficialClientMakesEveryCall: besides the calls that all kinds have, each has its own.
// The official client makes them, and every answer is as the published schema says.
func TestOfficialClientMakesEveryCall(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			var todo script
			add := todo.add
			user := add(201, "CoreApi", "coreUsersCreate", "User", object{"userRequest": object{"username": "acts", "name": "A", "email": "acts@example.com"}})
			group := add(201, "CoreApi", "coreGroupsCreate", "Group", object{"groupRequest": object{"name": "acts"}})
			role := add(201, "RbacApi", "rbacRolesCreate", "Role", object{"roleRequest": object{"name": "acts"}})
			own := add(201, "CoreApi", "coreTokensCreate", "Token", object{"tokenRequest": object{"identifier": "acts", "intent": "api", "user": the(user, "pk")}})
			app := add(201, "CoreApi", "coreApplicationsCreate", "Application", object{"applicationRequest": object{"name": "Acts", "slug": "acts"}})
			flow := add(201, "FlowsApi", "flowsInstancesCreate", "Flow", object{"flowRequest": object{"name": "Acts", "slug": "acts", "title": "Acts", "designation": "stage_configuration"}})
			stage := add(201, "StagesApi", "stagesDummyCreate", "DummyStage", object{"dummyStageRequest": object{"name": "acts"}})
			add(201, "FlowsApi", "flowsBindingsCreate", "FlowStageBinding", object{"flowStageBindingRequest": object{"target": the(flow, "pk"), "stage": the(stage, "pk"), "order": 1}})
			policy := add(201, "PoliciesApi", "policiesExpressionCreate", "ExpressionPolicy", object{"expressionPolicyRequest": object{"name": "acts", "expression": "ak_message('seen')\nreturn True"}})
			mapping := add(201, "PropertymappingsApi", "propertymappingsNotificationCreate", "NotificationWebhookMapping", object{"notificationWebhookMappingRequest": object{"name": "acts", "expression": "return 'x'"}})
			transport := add(201, "EventsApi", "eventsTransportsCreate", "NotificationTransport", object{"notificationTransportRequest": object{"name": "acts", "mode": "local"}})
			blueprint := add(201, "ManagedApi", "managedBlueprintsCreate", "BlueprintInstance", object{"blueprintInstanceRequest": object{"name": "acts", "content": "version: 1\nmetadata: {name: acts}\nentries: []\n"}})
			account := object{"pk": the(user, "pk")}

			for _, c := range []struct {
				want              int
				api, call, schema string
				args              object
			}{
				{200, "AdminApi", "adminAppsList", "App[]", nil},
				{200, "AdminApi", "adminModelsList", "App[]", nil},
				{200, "AdminApi", "adminFileList", "FileList[]", nil},
				{200, "AdminApi", "adminSettingsRetrieve", "Settings", nil},
				{200, "AdminApi", "adminSettingsPartialUpdate", "Settings", object{"patchedSettingsRequest": object{"avatars": "initials"}}},
				{200, "AdminApi", "adminSystemRetrieve", "SystemInfo", nil},
				{200, "AdminApi", "adminSystemCreate", "SystemInfo", nil},
				{200, "AdminApi", "adminVersionRetrieve", "Version", nil},
				{200, "AdminApi", "adminVersionHistoryList", "VersionHistory[]", nil},
				{200, "AuthenticatorsApi", "authenticatorsAdminAllList", "Device[]", object{"user": 1}},
				{200, "AuthenticatorsApi", "authenticatorsAllList", "Device[]", nil},
				{200, "AuthenticatorsApi", "authenticatorsDuoList", "PaginatedDuoDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsEmailList", "PaginatedEmailDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsSmsList", "PaginatedSMSDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsStaticList", "PaginatedStaticDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsTotpList", "PaginatedTOTPDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsWebauthnList", "PaginatedWebAuthnDeviceList", nil},
				{200, "AuthenticatorsApi", "authenticatorsAdminTotpList", "PaginatedTOTPDeviceList", nil},
				{200, "CoreApi", "coreApplicationsCheckAccessRetrieve", "PolicyTestResult", object{"slug": the(app, "slug")}},
				{200, "CoreApi", "coreAuthenticatedSessionsList", "PaginatedAuthenticatedSessionList", nil},
				{204, "CoreApi", "coreGroupsAddUserCreate", "", object{"groupUuid": the(group, "pk"), "userAccountRequest": account}},
				{204, "CoreApi", "coreGroupsRemoveUserCreate", "", object{"groupUuid": the(group, "pk"), "userAccountRequest": account}},
				{200, "CoreApi", "coreTokensViewKeyRetrieve", "TokenView", object{"identifier": the(own, "identifier")}},
				{204, "CoreApi", "coreTokensSetKeyCreate", "", object{"identifier": the(own, "identifier"), "tokenSetKeyRequest": object{"key": "another key of more than thirty-two characters"}}},
				{200, "CoreApi", "coreUserConsentList", "PaginatedUserConsentList", nil},
				{200, "CoreApi", "coreUsersPathsRetrieve", "UserPath", nil},
				{200, "CoreApi", "coreUsersServiceAccountCreate", "UserServiceAccountResponse", object{"userServiceAccountRequest": object{"name": "acts-service"}}},
				{204, "CoreApi", "coreUsersSetPasswordCreate", "", object{"id": the(user, "pk"), "userPasswordSetRequest": object{"password": "a password of some length"}}},
				{200, "CoreApi", "coreUsersRecoveryCreate", "Link", object{"id": the(user, "pk"), "userRecoveryLinkRequest": object{}}},
				{400, "CoreApi", "coreUsersAccountLockdownCreate", "Link", object{"userAccountLockdownRequest": account}}, // the brand has no flow for it
				{200, "EventsApi", "eventsEventsActionsList", "TypeCreate[]", nil},
				{200, "EventsApi", "eventsEventsStatsRetrieve", "EventStats", object{"countSteps": []any{"hours=1"}}},
				{200, "EventsApi", "eventsEventsTopPerUserList", "EventTopPerUser[]", object{"action": "model_created"}},
				{200, "EventsApi", "eventsEventsVolumeList", "EventVolume[]", nil},
				{200, "EventsApi", "eventsNotificationsList", "PaginatedNotificationList", nil},
				{204, "EventsApi", "eventsNotificationsMarkAllSeenCreate", "", nil},
				{200, "EventsApi", "eventsTransportsTestCreate", "NotificationTransportTest", object{"uuid": the(transport, "pk")}},
				{404, "FlowsApi", "flowsInspectorGet", "FlowInspection", object{"flowSlug": "nothing"}},
				{200, "FlowsApi", "flowsInstancesDiagramRetrieve", "FlowDiagram", object{"slug": "acts"}},
				{200, "FlowsApi", "flowsInstancesExecuteRetrieve", "Link", object{"slug": "acts"}},
				{204, "FlowsApi", "flowsInstancesCacheClearCreate", "", nil},
				{200, "FlowsApi", "flowsInstancesCacheInfoRetrieve", "Cache", nil},
				{200, "ManagedApi", "managedBlueprintsApplyCreate", "BlueprintInstance", object{"instanceUuid": the(blueprint, "pk")}},
				{200, "ManagedApi", "managedBlueprintsAvailableList", "BlueprintFile[]", nil},
				{200, "PoliciesApi", "policiesAllTestCreate", "PolicyTestResult", object{"policyUuid": the(policy, "pk"), "policyTestRequest": object{"user": 1}}},
				{200, "PoliciesApi", "policiesAllCacheInfoRetrieve", "Cache", nil},
				{200, "PoliciesApi", "policiesAllTypesList", "TypeCreate[]", nil},
				{200, "PoliciesApi", "policiesGeoipIso3166List", "DetailedCountry[]", nil},
				{200, "PoliciesApi", "policiesReputationScoresList", "PaginatedReputationList", nil},
				{200, "PropertymappingsApi", "propertymappingsAllTestCreate", "PropertyMappingTestResult", object{"pmUuid": the(mapping, "pk"), "propertyMappingTestRequest": object{}}},
				{200, "PropertymappingsApi", "propertymappingsAllTypesList", "TypeCreate[]", nil},
				{200, "RbacApi", "rbacPermissionsList", "PaginatedPermissionList", nil},
				{200, "RbacApi", "rbacPermissionsAssignedByRolesList", "PaginatedRoleAssignedObjectPermissionList", object{"model": "authentik_flows.flow"}},
				{200, "RbacApi", "rbacPermissionsAssignedByRolesAssign", "PermissionAssignResult[]", object{"uuid": the(role, "pk"), "permissionAssignRequest": object{"permissions": []any{"authentik_flows.view_flow"}}}},
				{200, "RbacApi", "rbacPermissionsRolesList", "PaginatedExtraRoleObjectPermissionList", nil},
				{204, "RbacApi", "rbacRolesAddUserCreate", "", object{"uuid": the(role, "pk"), "userAccountSerializerForRoleRequest": account}},
				{204, "RbacApi", "rbacRolesRemoveUserCreate", "", object{"uuid": the(role, "pk"), "userAccountSerializerForRoleRequest": account}},
				{200, "RootApi", "rootConfigRetrieve", "Config", nil},
				{200, "StagesApi", "stagesAllTypesList", "TypeCreate[]", nil},
				{200, "StagesApi", "stagesAllUserSettingsList", "UserSetting[]", nil},
				{200, "StagesApi", "stagesAuthenticatorWebauthnDeviceTypesList", "PaginatedWebAuthnDeviceTypeList", nil},
				{200, "StagesApi", "stagesEmailTemplatesList", "TypeCreate[]", nil},
				{201, "StagesApi", "stagesInvitationInvitationsCreate", "Invitation", object{"invitationRequest": object{"name": "acts", "flow": the(flow, "pk")}}},
				{200, "StagesApi", "stagesInvitationInvitationsList", "PaginatedInvitationList", nil},
				{200, "StagesApi", "stagesPromptPromptsPreviewCreate", "PromptChallenge", object{"promptRequest": object{"name": "acts", "fieldKey": "x", "label": "X", "type": "text"}}},
			} {
				if c.args == nil {
					c.args = object{}
				}
				add(c.want, c.api, c.call, c.schema, c.args)
			}
			pair := add(200, "CryptoApi", "cryptoCertificatekeypairsGenerateCreate", "CertificateKeyPair", object{"certificateGenerationRequest": object{"commonName": "acts", "validityDays": 3}})
			add(200, "CryptoApi", "cryptoCertificatekeypairsViewCertificateRetrieve", "CertificateData", object{"kpUuid": the(pair, "pk")})
			add(200, "CryptoApi", "cryptoCertificatekeypairsViewPrivateKeyRetrieve", "CertificateData", object{"kpUuid": the(pair, "pk")})
			todo.run(t, s)
		})
	}
}
