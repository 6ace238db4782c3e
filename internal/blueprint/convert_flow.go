package blueprint

import (
	"fmt"
	"slices"
	"strings"
)

// dropScores leaves out the scores that reputation policies once had in files.
func (c *converter) dropScores() {
	c.d.entries = slices.DeleteFunc(c.d.entries, func(e *entry) bool {
		switch strings.ToLower(e.literalModel) {
		case "authentik_policies_reputation.ipreputation", "authentik_policies_reputation.userreputation":
			c.told(e, e.model.at(), "scores are counted by the program since 2022.1 and left out")
			return true
		}
		return false
	})
}

// groupPolicies turns policies that ask for a group into bindings of the group.
func (c *converter) groupPolicies() {
	const model = "authentik_policies_group_membership.groupmembershippolicy"
	for _, old := range slices.Clone(c.d.entries) {
		if !strings.EqualFold(old.literalModel, model) {
			continue
		}
		group := old.given("group")
		if group == nil {
			c.refused(old, old.position, "this model is a policy binding with a group since 2021.4, but no group is given; name it, or bind the group instead")
			continue
		}
		c.old = true
		c.told(old, old.model.at(), "policies that ask for a group are bindings of the group since 2021.4")
		c.d.entries = slices.DeleteFunc(c.d.entries, func(e *entry) bool { return e == old })
		for _, e := range c.d.entries {
			if strings.EqualFold(e.literalModel, policyBinding) && old.isMeant(e.given("policy")) {
				at := e.take("policy").at()
				e.set("group", group)
				if e.identifiers != nil && e.identifiers.get("group") == nil {
					// It is the subject by which the binding is found again.
					e.identifiers.members = append(e.identifiers.members, member{"group", true, at, group})
				}
				c.told(e, at, "the policy has become the group that it asked for")
			}
		}
	}
}

// isMeant tells whether a reference leads to the entry.
func (e *entry) isMeant(by value) bool {
	if t, ok := by.(*keyOf); ok {
		return e.id != "" && t.id == e.id
	}
	key, ok := text(by)
	pk, keyed := text(e.identifiers.get("pk"))
	return ok && keyed && key == pk
}

// promptName names a prompt as authentik named its own when prompts got names:
// after the field and the stage that asks for it. Without a key it is found by
// that name alone, because another flow may ask for the same field with the same
// label. An entry without a type only changes a prompt, which has its name.
func promptName(c *converter, e *entry, since string) bool {
	key, ok := text(e.given("field_key"))
	if !ok || e.defaults != nil || e.given("name") != nil || e.given("label") == nil || e.given("type") == nil {
		return false
	}
	name := key
	if stage := c.stageWith(e); stage != "" {
		name += "_" + stage
	}
	for n, first := 2, name; c.names[name]; n++ {
		name = fmt.Sprintf("%s_%d", first, n)
	}
	c.names[name] = true
	at := e.given("field_key").at()
	named := member{"name", true, at, &scalar{position: at, v: name}}
	if e.identifiers.get("pk") != nil {
		e.defaults = &mapping{e.position, []member{named}}
	} else {
		rest := e.identifiers
		e.identifiers = &mapping{e.position, []member{named}}
		if rest != nil {
			for _, m := range rest.members {
				e.set(m.key, m.value)
			}
		}
	}
	c.told(e, at, "prompts have names since %s; this one is called %s", since, name)
	return true
}

// stageWith is the name of the first stage that asks for a prompt.
func (c *converter) stageWith(prompt *entry) string {
	for _, e := range c.d.entries {
		if !strings.EqualFold(e.literalModel, promptStageModel) {
			continue
		}
		if fields, ok := e.given("fields").(*list); ok && slices.ContainsFunc(fields.items, prompt.isMeant) {
			name, _ := text(e.given("name"))
			return name
		}
	}
	return ""
}

// shown are the types of prompts that once showed their placeholder as a value,
// for want of anything else. Those that choose came later.
var shown = []string{"static", "hidden", "text_read_only"}

// initialValue keeps a placeholder a value where it was one before 2023.5: today
// it is a hint that vanishes when somebody types.
func (c *converter) initialValue(e *entry) {
	kind, _ := text(e.given("type"))
	expression, _ := e.given("placeholder_expression").(*scalar)
	computed := expression != nil && expression.v == true
	placeholder := e.given("placeholder")
	if placeholder == nil || e.given("initial_value") != nil || !computed && !slices.Contains(shown, kind) {
		return
	}
	at := placeholder.at()
	e.set("initial_value", placeholder)
	e.set("initial_value_expression", &scalar{position: at, v: computed})
	e.set("placeholder", &scalar{position: at, v: ""})
	e.set("placeholder_expression", &scalar{position: at, v: false})
	c.told(e, at, "the placeholder is the initial value since 2023.5")
}

// evaluation keeps when the policies of a binding are asked: with the plan and
// never again, unless the file says otherwise. Today it is the reverse.
func (c *converter) evaluation(e *entry) {
	plan, known := flag(e.given("evaluate_on_plan"), true)
	again, too := flag(e.given("re_evaluate_policies"), false)
	yes := &scalar{position: e.position, v: true}
	switch {
	case !known || !too || e.defaults != nil:
		return // a tag says, or it is done
	case !plan && !again:
		e.set("re_evaluate_policies", yes)
		for _, p := range c.d.entries {
			if strings.EqualFold(p.literalModel, policyBinding) && e.isMeant(p.given("target")) {
				p.set("enabled", &scalar{position: p.position, v: false})
				c.told(p, p.position, "switched off, because the stage binding never asked its policies")
			}
		}
		c.told(e, e.position, "it never asked policies, which no binding may since 2023.3; those in this file are switched off instead")
	case e.given("evaluate_on_plan") == nil && e.given("re_evaluate_policies") != nil:
		// Which is only looked at together; see flow.Binding.
		e.set("evaluate_on_plan", yes)
		c.told(e, e.position, "it asks policies for the plan, as was the default before 2023.3")
	case e.given("evaluate_on_plan") == nil:
		e.defaults = &mapping{e.position, []member{{"evaluate_on_plan", true, e.position, yes},
			{"re_evaluate_policies", true, e.position, &scalar{position: e.position, v: false}}}}
		c.told(e, e.position, "a new binding asks policies for the plan and not again, as was the default before 2023.3")
	case e.given("re_evaluate_policies") == nil:
		e.defaults = &mapping{e.position, []member{{"re_evaluate_policies", true, e.position, &scalar{position: e.position, v: false}}}}
		c.told(e, e.position, "a new binding does not ask policies again, as was the default before 2023.3")
	}
}

// flag reads true or false, or what holds without; false when it is neither.
func flag(v value, without bool) (set, known bool) {
	if v == nil {
		return without, true
	}
	s, ok := v.(*scalar)
	if !ok {
		return false, false
	}
	set, known = s.v.(bool)
	return set, known
}
