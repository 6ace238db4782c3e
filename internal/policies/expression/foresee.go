package expression

import (
	"strings"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// foreseen are bodies whose verdict is known in part, without blank lines and
// lines that are only a comment. A body that is written in another way is one
// that may pass and may fail: nothing is guessed from its words.
var foreseen = map[string]policy.Foresight{
	"return True":  {Always: policy.Pass},
	"return False": {Always: policy.Fail},

	// Whether the password is still wanted, as our flow asks it and as the
	// published one does.
	`plan = context.get("flow_plan")
if plan is None:
    return True
if plan.context.get("auth_method") == "auth_webauthn_pwl":
    return False
person = plan.context.get("pending_user")
return person is None or not hasattr(person, "backend")`: {FailsAfter: string(flow.FactPassword)},
	`flow_plan = request.context.get("flow_plan")
if not flow_plan:
    return True
return not hasattr(flow_plan.context.get("pending_user"), "backend")`: {FailsAfter: string(flow.FactPassword)},

	// Who signs in again, or changes something of theirs, is whoever is signed in.
	`request.context["flow_plan"].context["pending_user"] = request.user
return True`: {Always: policy.Pass, NamesVisitor: true},
	`typed = request.context.get("prompt_data", {})
person = request.user
request.context["flow_plan"].context["pending_user"] = person
return typed.get("email", person.email) != person.email or typed.get("username", person.username) != person.username`: {NamesVisitor: true},
}

// Foresee implements policy.Foreseeable.
func (c *Config) Foresee() policy.Foresight {
	var lines []string
	for line := range strings.Lines(c.Expression) {
		line = strings.TrimRight(line, " \t\r\n")
		if text := strings.TrimLeft(line, " \t"); text != "" && text[0] != '#' {
			lines = append(lines, line)
		}
	}
	return foreseen[strings.Join(lines, "\n")]
}
