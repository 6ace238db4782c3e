package openapi

import (
	"reflect"
	"strings"
)

// inline stands for types that are described where they are used.
const inline = "-"

// names are the components of Go types that are not called like the type (with
// a capital, and "Enum" at the end for a list of choices). The published
// description has grown; so have its names.
var names = map[string]string{
	"api.Action":                          "UsedByActionEnum",
	"api.blueprintMetadata":               "Metadata",
	"api.brandFlags":                      inline,
	"api.capability":                      "CapabilitiesEnum",
	"api.errorReporting":                  "ErrorReportingConfig",
	"api.runtimeInfo":                     inline,
	"api.schemaFormat":                    "FormatEnum",
	"api.self":                            "UserSelf",
	"api.selfGroup":                       "UserSelfGroups",
	"api.selfRole":                        "UserSelfRoles",
	"api.siteConfig":                      "Config",
	"api.theme":                           "UiThemeEnum",
	"authenticatorvalidate.Class":         "DeviceClassesEnum",
	"authenticatorvalidate.NotConfigured": "NotConfiguredActionEnum",
	"authenticatorvalidate.selected":      "DeviceChallenge",
	"captcha.ContentType":                 "RequestContentTypeEnum",
	"event.Action":                        "EventActions",
	"eventmatcher.App":                    "AppEnum",
	"eventmatcher.Model":                  "ModelEnum",
	"consent.Mode":                        "ConsentModeEnum",
	"consent.Permission":                  "ConsentPermission",
	"field.Error":                         "ErrorDetail",
	"flow.Designation":                    "FlowDesignationEnum",
	"flow.Application":                    "Application",
	"flow.Flow":                           "Flow",
	"flow.Info":                           "ContextualFlowInfo",
	"flow.Layout":                         "FlowLayoutEnum",
	"flow.RedirectTo":                     inline,
	"flow.Requirement":                    "AuthenticationEnum",
	"flow.ThemedURLs":                     "ThemedUrls",
	"geoip.country":                       inline,
	"identification.Source":               "LoginSource",
	"identification.UserField":            "UserFieldsEnum",
	"mtls.Mode":                           "StageModeEnum",
	"passkey.Attachment":                  "AuthenticatorAttachmentEnum",
	"passkey.DeviceType":                  "WebAuthnDeviceType",
	"passkey.Hint":                        "WebAuthnHintEnum",
	"password.Backend":                    "BackendsEnum",
	"policy.Mode":                         "PolicyEngineMode",
	"prompt.Choice":                       "PromptChoice",
	"prompt.Field":                        "StagePrompt",
	"prompt.Type":                         "PromptTypeEnum",
	"userwrite.CreationMode":              "UserCreationModeEnum",
	"redirect.Mode":                       "RedirectStageModeEnum",
	"resource.asn":                        inline,
	"resource.eventData":                  "Event",
	"resource.flowSummary":                "FlowSet",
	"resource.geoIP":                      inline,
	"resource.groupData":                  "Group",
	"resource.groupSummary":               "PartialGroup",
	"resource.policySummary":              "Policy",
	"resource.providerSummary":            "Provider",
	"resource.roleSummary":                "Role",
	"resource.stageSummary":               "Stage",
	"resource.userAgent":                  inline,
	"resource.userData":                   "User",
	"resource.userSummary":                "PartialUser",
	"rule.Mode":                           "TransportModeEnum",
	"system.Flags":                        inline,
	"system.Status":                       "BlueprintInstanceStatusEnum",
	"userlogin.GeoIPBinding":              "GeoipBindingEnum",
}

// described are types whose component is described by somebody else: a challenge
// inside of another one is the same object.
var described = map[string]string{"identification.Captcha": "CaptchaChallenge"}

// nameOf is the component of a Go type; empty for one without a name or one
// that is described where it is used.
func nameOf(t reflect.Type) string {
	if t == nil || t.Name() == "" {
		return ""
	}
	if name, special := names[t.String()]; special {
		return strings.TrimPrefix(name, inline)
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if t.Kind() == reflect.String {
		name += "Enum"
	}
	return name
}
