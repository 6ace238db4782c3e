package blueprint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Files that earlier versions of authentik wrote are converted when they are
// read, so that everything behind knows the present form alone. What is
// converted is told in a warning with its line; nothing is converted that
// already has a meaning today. convert_flow.go has the rules that look at more
// than one entry.

// A conversion turns what an entry of one model says into what says the same
// today.
type conversion struct {
	model string
	// since is the release from which on the new form holds.
	since string
	// old tells that files with it are from before 2023.3, when defaults were
	// others, unless they hold something that came later.
	old    bool
	change change
}

// A change is made to an entry, if the entry has what it is for; true if so.
type change func(c *converter, e *entry, since string) bool

const (
	bindingModel     = "authentik_flows.flowstagebinding"
	policyBinding    = "authentik_policies.policybinding"
	flowModel        = "authentik_flows.flow"
	promptModel      = "authentik_stages_prompt.prompt"
	promptStageModel = "authentik_stages_prompt.promptstage"
	writeModel       = "authentik_stages_user_write.userwritestage"
)

// conversions are made in this order.
var conversions = []conversion{
	{"authentik_core.application", "", false, alias("icon", "meta_icon")},
	{"authentik_stages_password.passwordstage", "0.10.7", true, rename("change_flow", "configure_flow")},
	{"authentik_stages_password.passwordstage", "2021.8", true, exchange("backends", "django.contrib.auth.backends.ModelBackend", "authentik.core.auth.InbuiltBackend")},
	{"authentik_stages_identification.identificationstage", "2021.6", false, ignore("template", "all pages are laid out by the flow")},
	{"authentik_stages_authenticator_validate.authenticatorvalidatestage", "2022.2", true, wrap("configuration_stage", "configuration_stages")},
	{"authentik_stages_user_login.userloginstage", "2020.12", true, untilClosed},
	{writeModel, "2023.1", true, creationMode},
	{"authentik_stages_email.emailstage", "2020.12", true, mailTemplate},
	{"authentik_stages_email.emailstage", "2025.4", false, minutes("token_expiry")},
	{"authentik_stages_authenticator_webauthn.authenticatorwebauthnstage", "2026.8", false, ignore("prevent_duplicate_devices", "only 2026.5 had it")},
	{"authentik_policies_password.passwordpolicy", "2022.11", true, rename("allowed_count", "hibp_allowed_count")},
	{"authentik_brands.brand", "2024.2", false, ignore("event_retention", "it is one of the system settings")},
	{"authentik_core.group", "2025.12", false, wrap("parent", "parents")},
	{"authentik_core.user", "2026.2", false, rename("ak_groups", "groups")},
	{"authentik_events.notificationrule", "2025.8", false, rename("group", "destination_group")},
	{promptModel, "2025.10", false, ignore("promptstage_set", "stages name their prompts")},
	{promptModel, "2023.2", true, promptName},
}

// renamings are the models that have another name today.
var renamings = map[string]struct {
	to, since string
	old       bool
}{
	"authentik_stages_otp_static.otpstaticstage":                        {"authentik_stages_authenticator_static.authenticatorstaticstage", "2021.3", true},
	"authentik_stages_otp_time.otptimestage":                            {"authentik_stages_authenticator_totp.authenticatortotpstage", "2021.3", true},
	"authentik_stages_otp_validate.otpvalidatestage":                    {"authentik_stages_authenticator_validate.authenticatorvalidatestage", "2021.3", true},
	"authentik_policies_hibp.haveibeenpwendpolicy":                      {"authentik_policies_password.passwordpolicy", "2023.1", true},
	"authentik_stages_authenticator_webauthn.authenticatewebauthnstage": {"authentik_stages_authenticator_webauthn.authenticatorwebauthnstage", "2024.4", false},
	"authentik_tenants.tenant":                                          {"authentik_brands.brand", "2024.2", false},
}

// renamed returns what a model is called today, and since when; false when that
// is what it was always called.
func renamed(model string) (now, since string, old, ok bool) {
	now = model
	if rest, passbook := strings.CutPrefix(model, "passbook_"); passbook {
		now, since, old, ok = "authentik_"+rest, "2020.12", true, true
	}
	if r, found := renamings[strings.ToLower(now)]; found {
		return r.to, r.since, old || r.old, true
	}
	return now, since, old, ok
}

// converter converts a document.
type converter struct {
	*reader
	d *Document
	// old tells that something in the file is from before 2023.3.
	old bool
	// byID and byKey are the entries that references mean.
	byID, byKey map[string]*entry
	// askedBy are the names of the stages that ask for prompts.
	askedBy map[*entry]string
	// deaf are the stage bindings that never asked policies.
	deaf map[*entry]bool
	// names counts the names that prompts have got.
	names map[string]int
}

// convert converts a document that has been read.
func (r *reader) convert(d *Document) {
	c := &converter{reader: r, d: d, byID: map[string]*entry{}, byKey: map[string]*entry{}, askedBy: map[*entry]string{}, names: map[string]int{}, deaf: map[*entry]bool{},
		old: r.json && exportedBefore2022(d)}
	later := slices.ContainsFunc(d.entries, writtenLater)
	defer func() { r.entry = Place{} }()
	for _, e := range d.entries {
		c.renameModel(e)
		c.known(e)
	}
	c.dropScores()
	c.groupPolicies()
	c.prompts()
	for _, rule := range conversions {
		for _, e := range d.entries {
			if e.is(rule.model) && rule.change(c, e, rule.since) {
				c.old = c.old || rule.old
			}
		}
	}
	if !c.old || later {
		return
	}
	for _, e := range d.entries {
		switch {
		case e.is(promptModel):
			c.initialValue(e)
		case e.is(bindingModel):
			c.evaluation(e)
		}
	}
	c.switchOff()
	c.accounts()
}

// exportedBefore2022 knows the exports from before blueprints, which are JSON: they
// have no metadata, and all entries have a key and nothing that came later.
func exportedBefore2022(d *Document) bool {
	later := func(e *entry) bool {
		_, keyed := text(e.identifiers.get("pk"))
		return !keyed || e.id != "" || e.state != nil || e.conditions != nil || e.permissions != nil
	}
	return d.Name == "" && d.context == nil && len(d.entries) > 0 && !slices.ContainsFunc(d.entries, later)
}

// refused notes a problem of an entry.
func (c *converter) refused(e *entry, at position, format string, args ...any) {
	c.entry = e.place()
	c.fail(at, format, args...)
}

// writtenLater knows what no file from before 2023.3 says.
func writtenLater(e *entry) bool {
	return e.permissions != nil || e.given("initial_value") != nil || e.given("user_creation_mode") != nil || e.is(promptModel) && e.given("name") != nil
}

// told warns that something of an entry has been converted.
func (c *converter) told(e *entry, at position, format string, args ...any) {
	c.entry = e.place()
	c.converted(at, format, args...)
}

func (c *converter) renameModel(e *entry) {
	now, since, old, ok := renamed(e.literalModel)
	if !ok || strings.EqualFold(e.literalModel, "authentik_tenants.tenant") && e.given("domain") == nil {
		return // what is called a tenant today has no domain
	}
	c.told(e, e.model.at(), "the model %s is called %s since %s", e.literalModel, now, since)
	c.old = c.old || old
	if strings.Contains(e.literalModel, "_hibp.") {
		e.set("check_static_rules", &scalar{position: e.position, v: false})
		e.set("check_have_i_been_pwned", &scalar{position: e.position, v: true})
	}
	e.model, e.literalModel = &scalar{position: e.model.at(), v: now}, now
}

// rename gives a field its new name, look-up paths that begin with it as well.
func rename(from, to string) change {
	return func(c *converter, e *entry, since string) (done bool) {
		if at := e.given(from); at != nil && e.given(to) != nil {
			e.take(from)
			c.told(e, at.at(), "%s is called %s since %s; both are given, so %s is ignored", from, to, since, from)
			return true
		}
		for _, m := range e.fields() {
			for i, member := range m.members {
				path, isPath := strings.CutPrefix(member.key, from+"__")
				if member.key != from && !isPath {
					continue
				}
				m.members[i].key = to + member.key[len(from):]
				c.told(e, member.keyAt, "%s is called %s since %s", member.key, m.members[i].key, since)
				done = done || path == ""
			}
		}
		return done
	}
}

// alias gives a field that only blueprints call so the name that it has elsewhere.
func alias(name, is string) change {
	return func(_ *converter, e *entry, _ string) bool {
		if v := e.take(name); v != nil {
			e.set(is, v)
		}
		return false
	}
}

// ignore leaves out a field that has become needless, and says why.
func ignore(name, why string) change {
	return func(c *converter, e *entry, since string) bool {
		v := e.take(name)
		if v != nil {
			c.told(e, v.at(), "%s is no field since %s and is ignored: %s", name, since, why)
		}
		return v != nil
	}
}

// wrap turns a field that held one key into one that holds a list.
func wrap(from, to string) change {
	return func(c *converter, e *entry, since string) bool {
		v := e.attrs.get(from)
		if v == nil {
			return false
		}
		e.take(from)
		if e.given(to) == nil {
			e.set(to, atMostOne{v})
		}
		c.told(e, v.at(), "%s is the list %s since %s", from, to, since)
		return true
	}
}

// atMostOne is a list of what the value resolves to, and empty if that is null.
type atMostOne struct{ value }

func (v atMostOne) resolve(s *scope) (any, error) {
	one, err := s.resolve(v.value)
	if err != nil || one == nil {
		return []any{}, err
	}
	return []any{one}, nil
}

// exchange replaces items of a list by what they are called now.
func exchange(name, from, to string) change {
	return func(c *converter, e *entry, since string) (done bool) {
		l, _ := e.given(name).(*list)
		if l == nil {
			return false
		}
		for i, v := range l.items {
			if word, _ := text(v); word == from {
				l.items[i] = &scalar{position: v.at(), v: to}
				c.told(e, v.at(), "%s is called %s since %s", from, to, since)
				done = true
			}
		}
		return done
	}
}

// minutes turns a number into a length of time.
func minutes(name string) change {
	return func(c *converter, e *entry, since string) bool {
		v, ok := e.given(name).(*scalar)
		if !ok {
			return false
		}
		n, ok := v.v.(int64)
		if word, isText := v.v.(string); isText {
			number, err := strconv.ParseInt(word, 10, 64)
			n, ok = number, err == nil
		}
		if ok {
			e.set(name, &scalar{position: v.position, v: fmt.Sprintf("minutes=%d", n)})
			c.told(e, v.position, "%s is a length of time since %s, so %d is minutes=%d", name, since, n, n)
		}
		return ok
	}
}

// untilClosed knows the length that sessions had by default once: until the
// browser is closed, which is no length at all today.
func untilClosed(c *converter, e *entry, since string) bool {
	v := e.given("session_duration")
	if word, _ := text(v); word != "seconds=-1" {
		return false
	}
	e.set("session_duration", &scalar{position: v.at(), v: "seconds=0"})
	c.told(e, v.at(), "a session that ends with the browser has the length seconds=0 since %s, not seconds=-1", since)
	return true
}

// mailTemplate knows where the templates of mails were once.
func mailTemplate(c *converter, e *entry, since string) bool {
	v := e.given("template")
	word, _ := text(v)
	name, ok := strings.CutPrefix(word, "stages/email/for_email/")
	if ok {
		e.set("template", &scalar{position: v.at(), v: "email/" + name})
		c.told(e, v.at(), "the template %s is email/%s since %s", word, name, since)
	}
	return ok
}

func creationMode(c *converter, e *entry, since string) bool {
	v := e.take("can_create_users")
	if v == nil {
		return false
	}
	mode := "never_create"
	if may, ok := v.(*scalar); !ok {
		c.refused(e, v.at(), "can_create_users has to be true or false; since %s the field is user_creation_mode", since)
		return true
	} else if may.v == true {
		mode = "create_when_required"
	}
	if e.given("user_creation_mode") == nil {
		e.set("user_creation_mode", &scalar{position: v.at(), v: mode})
	}
	c.told(e, v.at(), "can_create_users is user_creation_mode: %s since %s", mode, since)
	return true
}

// is tells whether an entry is of a model, as far as it says so in text.
func (e *entry) is(model string) bool { return strings.EqualFold(e.literalModel, model) }

// fields are the mappings with the fields of an entry, those that win first.
func (e *entry) fields() []*mapping {
	return slices.DeleteFunc([]*mapping{e.identifiers, e.attrs}, func(m *mapping) bool { return m == nil })
}

// given returns what the entry says of a field, nil when it says nothing.
func (e *entry) given(name string) value {
	for _, m := range e.fields() {
		if v := m.get(name); v != nil {
			return v
		}
	}
	return nil
}

// set says something of a field, wherever the entry gives it.
func (e *entry) set(name string, v value) {
	for _, m := range e.fields() {
		for i := range m.members {
			if m.members[i].key == name {
				m.members[i].value = v
				return
			}
		}
	}
	if e.attrs == nil {
		e.attrs = &mapping{position: e.position}
	}
	e.attrs.members = append(e.attrs.members, member{name, true, v.at(), v})
}

// take leaves out a field and returns what was said of it, nil for nothing.
func (e *entry) take(name string) value {
	v := e.given(name)
	for _, m := range e.fields() {
		m.members = slices.DeleteFunc(m.members, func(m member) bool { return m.key == name })
	}
	return v
}
