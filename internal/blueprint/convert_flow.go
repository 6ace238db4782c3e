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

// known notes by what an entry is meant.
func (c *converter) known(e *entry) {
	if e.id != "" && c.byID[e.id] == nil {
		c.byID[e.id] = e
	}
	if pk, ok := text(e.identifiers.get("pk")); ok && pk != "" && c.byKey[pk] == nil {
		c.byKey[pk] = e
	}
}

// meant is the entry that a reference leads to, nil when that is unknown.
func (c *converter) meant(by value) *entry {
	if t, ok := by.(*keyOf); ok {
		return c.byID[t.id]
	}
	key, _ := text(by)
	return c.byKey[key]
}

// groupPolicies turns policies that ask for a group into bindings of the group.
func (c *converter) groupPolicies() {
	groups := map[*entry]value{}
	c.d.entries = slices.DeleteFunc(c.d.entries, func(e *entry) bool {
		if !e.is("authentik_policies_group_membership.groupmembershippolicy") {
			return false
		}
		group := e.given("group")
		if group == nil {
			c.refused(e, e.position, "this model is a policy binding with a group since 2021.4, but no group is given; name it, or bind the group instead")
			return false
		}
		c.old, groups[e] = true, group
		c.told(e, e.model.at(), "policies that ask for a group are bindings of the group since 2021.4")
		return true
	})
	for _, e := range c.d.entries {
		group := groups[c.meant(e.given("policy"))]
		if group == nil || !e.is(policyBinding) {
			continue
		}
		at := e.take("policy").at()
		e.set("group", group)
		if e.identifiers != nil && e.identifiers.get("group") == nil {
			// It is the subject by which the binding is found again.
			e.identifiers.members = append(e.identifiers.members, member{"group", true, at, group})
		}
		c.told(e, at, "the policy has become the group that it asked for")
	}
}

// prompts notes which stage asks for which prompt first.
func (c *converter) prompts() {
	for _, e := range c.d.entries {
		fields, ok := e.given("fields").(*list)
		if !ok || !e.is(promptStageModel) {
			continue
		}
		name, _ := text(e.given("name"))
		for _, item := range fields.items {
			if prompt := c.meant(item); prompt != nil && c.askedBy[prompt] == "" {
				c.askedBy[prompt] = name
			}
		}
	}
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
	if stage := c.askedBy[e]; stage != "" {
		name += "_" + stage
	}
	for first := name; c.names[name] > 0; {
		c.names[first]++
		name = fmt.Sprintf("%s_%d", first, c.names[first])
	}
	c.names[name]++
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
		c.deaf[e] = true
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

// switchOff switches the policies off that their stage binding never asked.
func (c *converter) switchOff() {
	for _, e := range c.d.entries {
		if e.is(policyBinding) && c.deaf[c.meant(e.given("target"))] {
			e.set("enabled", &scalar{position: e.position, v: false})
			c.told(e, e.position, "switched off, because the stage binding never asked its policies")
		}
	}
}

// accounts keeps stages that do not say so from making accounts, unless they stand
// in an enrolment. They made some wherever nobody was signed in, which let
// strangers in through the settings of users (CVE-2022-46145, rule 16).
func (c *converter) accounts() {
	enrols := map[*entry]bool{}
	for _, b := range c.d.entries {
		if !b.is(bindingModel) {
			continue
		}
		stage, flow := c.meant(b.given("stage")), c.meant(b.given("target"))
		if stage != nil && flow != nil && stage.is(writeModel) && flow.is(flowModel) {
			designation, _ := text(flow.given("designation"))
			enrols[stage] = enrols[stage] || designation == "enrollment"
		}
	}
	for _, e := range c.d.entries {
		if enrols, bound := enrols[e]; !bound || enrols || e.given("user_creation_mode") != nil || e.defaults != nil {
			continue
		}
		e.defaults = &mapping{e.position, []member{{"user_creation_mode", true, e.position, &scalar{position: e.position, v: "never_create"}}}}
		c.told(e, e.position, "a new stage makes no accounts, because its flow is no enrolment")
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
