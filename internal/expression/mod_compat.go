package expression

import (
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// moduleModels is authentik.core.models, as published bodies import it.
func moduleModels() *module {
	return newModule("authentik.core.models", map[string]starlark.Value{
		"User": &userModel, "Group": &groupModel, "Application": applicationModel, "Token": tokenModel,
		"USER_ATTRIBUTE_CHANGE_EMAIL":    starlark.String("goauthentik.io/user/can-change-email"),
		"USER_ATTRIBUTE_CHANGE_NAME":     starlark.String("goauthentik.io/user/can-change-name"),
		"USER_ATTRIBUTE_CHANGE_USERNAME": starlark.String("goauthentik.io/user/can-change-username"),
	})
}

// configValue is authentik.lib.config.CONFIG: it knows the system settings.
type configValue struct{ opaque }

func (configValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	read := func(truth bool) starlark.Value {
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			var key string
			var fallback starlark.Value = starlark.None
			if truth {
				fallback = starlark.False
			}
			if err := c.take("path", &key, "default?", &fallback); err != nil {
				return nil, err
			}
			v, err := (&settingsValue{}).attr(e, key)
			if err != nil {
				return nil, err
			}
			if v == nil {
				v = fallback
			}
			if !truth {
				return v, nil
			}
			if s, ok := v.(starlark.String); ok {
				return starlark.Bool(strings.EqualFold(string(s), "true")), nil
			}
			return v.Truth(), nil
		})
	}
	switch name {
	case "get", "y":
		return read(false), nil
	case "get_bool", "y_bool":
		return read(true), nil
	}
	return nil, nil
}

func moduleConfig() *module {
	return newModule("authentik.lib.config", map[string]starlark.Value{"CONFIG": configValue{opaque{"ConfigLoader"}}})
}

func moduleAdmin() *module {
	return newModule("authentik.admin.utils", map[string]starlark.Value{
		"get_system_settings": constant("get_system_settings", &settingsValue{opaque{"settings"}}),
	})
}

func moduleTimezone() *module {
	return newModule("django.utils.timezone", functions(map[string]fn{
		"now": func(e *evaluation, c call) (starlark.Value, error) { return newDatetime(e.now().UTC()), c.take() },
	}))
}

func moduleExceptions() *module {
	return newModule("django.core.exceptions", map[string]starlark.Value{
		"ValidationError": excValidation, "ObjectDoesNotExist": excDoesNotExist, "FieldError": excFieldError,
		"PermissionDenied": newClass("PermissionDenied", excException),
	})
}

// moduleValidators is django.core.validators: a validator is called with a
// value and raises ValidationError.
func moduleValidators() *module {
	email := func(_ *evaluation, c call) (starlark.Value, error) {
		v, err := c.one()
		if err != nil {
			return nil, err
		}
		if a, err := mail.ParseAddress(str(v)); err != nil || a.Address != str(v) || !strings.Contains(afterAt(a.Address), ".") {
			return nil, raise(excValidation, "Enter a valid email address.")
		}
		return starlark.None, nil
	}
	return newModule("django.core.validators", map[string]starlark.Value{
		"validate_email": builtin("validate_email", email),
		"EmailValidator": constant("EmailValidator", builtin("EmailValidator", email)),
		"URLValidator":   builtin("URLValidator", newURLValidator),
	})
}

func afterAt(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

func newURLValidator(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value = starlark.None
	if err := c.take("schemes?", &v); err != nil {
		return nil, err
	}
	schemes := []string{"http", "https", "ftp", "ftps"}
	if v != starlark.None {
		items, err := e.items(v)
		if err != nil {
			return nil, err
		}
		schemes = nil
		for _, item := range items {
			schemes = append(schemes, str(item))
		}
	}
	return builtin("URLValidator", func(_ *evaluation, c call) (starlark.Value, error) {
		v, err := c.one()
		if err != nil {
			return nil, err
		}
		u, perr := url.Parse(str(v))
		if perr != nil || !slices.Contains(schemes, strings.ToLower(u.Scheme)) || !validHost(u.Hostname()) ||
			strings.ContainsAny(str(v), " \t\r\n\"<>") {
			return nil, raise(excValidation, "Enter a valid URL.")
		}
		return starlark.None, nil
	}), nil
}

// validHost accepts addresses, localhost and names with a dot.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") ||
			strings.ContainsAny(l, "_ !\"#$%&'()*+,/:;=?@[]") {
			return false
		}
	}
	return len(labels) > 1
}
