package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// typed is what came over the outpost's protocol, taken apart. The code is
// empty where there is none.
type typed struct{ name, password, code string }

// split takes a code off the password where the provider supports that: what
// follows the last semicolon, if it looks like a code. Without the support all
// of it is both, so that a flow may ask for a code alone.
func split(name, password string, mfa bool) typed {
	if !mfa {
		return typed{name, password, password}
	}
	i := strings.LastIndexByte(password, ';')
	if i < 0 || !codeLike(password[i+1:]) {
		return typed{name, password, ""}
	}
	return typed{name, password[:i], password[i+1:]}
}

// codeLike tells whether a text is six digits, or eight letters and digits.
func codeLike(s string) bool {
	digits, letters := 0, 0
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letters++
		default:
			return false
		}
	}
	return digits == 6 && letters == 0 || digits+letters == 8
}

// solvers answer the challenges that an outpost knows; the rest is beyond it.
var solvers = map[string]func(challenge map[string]any, t typed) (map[string]any, error){
	"ak-stage-identification": func(_ map[string]any, t typed) (map[string]any, error) {
		return map[string]any{"uid_field": t.name, "password": t.password}, nil
	},
	"ak-stage-password": func(_ map[string]any, t typed) (map[string]any, error) {
		return map[string]any{"password": t.password}, nil
	},
	"ak-stage-user-login": func(map[string]any, typed) (map[string]any, error) {
		return map[string]any{"remember_me": true}, nil
	},
	"ak-stage-authenticator-validate": validate,
}

// validate chooses among the devices of a person, as they come.
func validate(challenge map[string]any, t typed) (map[string]any, error) {
	answer := map[string]any{}
	devices, _ := challenge["device_challenges"].([]any)
	for _, v := range devices {
		device := v.(map[string]any)
		switch device["device_class"] {
		case "duo":
			uid, err := strconv.ParseInt(device["device_uid"].(string), 10, 32)
			if err != nil {
				return nil, fmt.Errorf("duo device: %w", err)
			}
			answer["selected_challenge"], answer["duo"] = device, uid
		case "static", "totp":
			if answer["selected_challenge"] == nil && t.code != "" {
				answer["selected_challenge"], answer["code"] = device, t.code
			}
		}
	}
	if answer["selected_challenge"] == nil {
		return nil, errors.New("no compatible authenticator class found")
	}
	return answer, nil
}
