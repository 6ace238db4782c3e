package expression

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode"

	"go.starlark.net/starlark"
	"golang.org/x/text/unicode/norm"

	"github.com/weir-id/weir/policy"
)

// addHelpers predeclares the helper functions, which every body has.
func (c *Compiler) addHelpers(into starlark.StringDict) {
	for name, f := range map[string]fn{
		"regex_match": c.regexMatch, "regex_replace": c.regexReplace, "list_flatten": listFlatten, "slugify": slugify,
		"ip_address": fnIPAddress, "ip_network": fnIPNetwork,
		"ak_is_group_member": akIsGroupMember, "ak_user_by": akUserBy,
		"ak_user_has_authenticator": akUserHasAuthenticator, "ak_call_policy": akCallPolicy,
		"ak_create_event": akCreateEvent, "ak_send_email": akSendEmail, "resolve_dns": c.resolveDNS, "reverse_dns": c.reverseDNS,
	} {
		into[name] = builtin(name, f)
	}
	into["ak_logger"] = loggerValue{opaque{"Logger"}}
	into["requests"] = c.modules["requests"]
	for _, name := range []string{"ak_create_jwt", "ak_create_jwt_raw"} {
		into[name] = refuse(excNotImpl, name+": tokens are made by providers, which this program does not have")
	}
}

func akMessage(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.only("message")
	if err != nil {
		return nil, err
	}
	if len(e.messages) >= e.limits.Messages {
		return nil, e.limit("too many messages")
	}
	text := str(v)
	e.messages = append(e.messages, text)
	return starlark.None, e.text(len(text))
}

func listFlatten(_ *evaluation, c call) (starlark.Value, error) {
	v, err := c.only("value")
	if err != nil {
		return nil, err
	}
	if l, ok := v.(*starlark.List); ok {
		if l.Len() == 0 {
			return starlark.None, nil
		}
		return l.Index(0), nil
	}
	return v, nil
}

// slugify makes a text fit for an URL: ASCII letters, digits, "_" and "-".
func slugify(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.only("value")
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	dash := false
	for _, r := range norm.NFKD.String(str(v)) {
		r = unicode.ToLower(r)
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		case r == '-' || unicode.IsSpace(r):
			dash = true
		}
	}
	out := strings.Trim(b.String(), "-_")
	return starlark.String(out), e.text(len(out))
}

func userArg(v starlark.Value) (*userValue, error) {
	if u, ok := v.(*userValue); ok {
		return u, nil
	}
	return nil, raise(excType, "a user is needed, not '%s'", kindOf(v))
}

func akIsGroupMember(e *evaluation, c call) (starlark.Value, error) {
	v, c, err := c.first("user")
	if err != nil {
		return nil, err
	}
	u, err := userArg(v)
	if err != nil {
		return nil, err
	}
	where, err := groupModel.lookups(e, c.kw, false)
	if err != nil {
		return nil, err
	}
	list, err := e.groupsOf(u.p).with(where).load(e, 1)
	return starlark.Bool(len(list) > 0), err
}

func akUserBy(e *evaluation, c call) (starlark.Value, error) {
	where, err := userModel.lookups(e, c.kw, false)
	if err != nil {
		if asException(err).class == excFieldError {
			return starlark.None, nil
		}
		return nil, err
	}
	return e.query(&userModel, where...).first(e, call{})
}

func akUserHasAuthenticator(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var kind starlark.Value = starlark.None
	if err := c.take("user", &v, "device_type?", &kind); err != nil {
		return nil, err
	}
	u, err := userArg(v)
	if err != nil {
		return nil, err
	}
	if !u.p.Saved() {
		return starlark.False, nil
	}
	list, err := e.authenticators(u.p.ID)
	if err != nil {
		return nil, err
	}
	return starlark.Bool(slices.ContainsFunc(list, func(v starlark.Value) bool {
		class, _ := v.(*objectValue).fields["type"].(string)
		return kind == starlark.None || strings.EqualFold(class, str(kind))
	})), nil
}

// akCallPolicy judges a copy of the request, so that the arguments do not stay
// in this evaluation's context (rule 9 of the security rules).
func akCallPolicy(e *evaluation, c call) (starlark.Value, error) {
	v, c, err := c.first("name")
	if err != nil {
		return nil, err
	}
	name, ok := v.(starlark.String)
	if !ok {
		return nil, raise(excType, "ak_call_policy() takes the name of a policy, not '%s'", kindOf(v))
	}
	if e.env.Policies == nil {
		return nil, raise(excRuntime, "ak_call_policy: policies cannot be called here")
	}
	if e.request.Depth >= maxPolicyDepth {
		return nil, e.limit("policies that call policies too deeply")
	}
	r := *e.request
	r.Depth++
	r.Context = maps.Clone(r.Context)
	if r.Context == nil {
		r.Context = map[string]any{}
	}
	for _, kv := range c.kw {
		v, err := e.toGo(kv[1], true)
		if err != nil {
			return nil, err
		}
		r.Context[string(kv[0].(starlark.String))] = v
	}
	if e.counted().policies.Add(1) > maxPolicyCalls {
		return nil, e.limit("too many called policies")
	}
	result, err := e.env.Policies.CallPolicy(context.WithValue(e.ctx, countsKey{}, e.counted()), string(name), &r)
	switch {
	case errors.Is(err, ErrUnknownPolicy):
		return nil, raise(excValue, "no policy is called %s", repr(name))
	case err != nil:
		return nil, hostError("call policy", err)
	}
	if result.Verdict != policy.Error {
		if !e.scope.Policy && (len(result.Mails) > 0 || !result.Writes.Empty()) {
			return nil, raise(excPermission, "ak_call_policy: %s changes the plan or sends mail, which only policies can do", repr(name))
		}
		if err := e.apply(result.Writes); err != nil {
			return nil, err
		}
		e.events = append(e.events, result.Events...)
		e.mails = append(e.mails, result.Mails...)
	}
	raw, err := e.fromGo(result.Raw)
	if err != nil {
		return nil, err
	}
	messages := make(starlark.Tuple, len(result.Messages))
	for i, m := range result.Messages {
		messages[i] = starlark.String(m)
	}
	return newRecord("PolicyResult", map[string]starlark.Value{
		"passing": starlark.Bool(result.Passing()), "messages": messages, "raw_result": raw,
		"source_binding": starlark.None, "source_results": starlark.Tuple(nil), "log_messages": starlark.Tuple(nil),
	}), e.elems(len(messages))
}

// loggerValue is ak_logger.
type loggerValue struct{ opaque }

func (loggerValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	level := name
	switch name {
	case "debug", "info", "error", "critical":
	case "warning", "warn":
		level = "warning"
	case "exception":
		level = "error"
	default:
		return nil, nil
	}
	return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
		if len(c.args) < 1 {
			return nil, raise(excType, "%s() takes a text", name)
		}
		text := str(c.args[0])
		if len(c.args) > 1 {
			v, err := e.percent(text, c.args[1:])
			if err != nil {
				return nil, err
			}
			text = str(v)
		}
		attrs := map[string]string{}
		for _, kv := range c.kw {
			attrs[string(kv[0].(starlark.String))] = str(kv[1])
		}
		e.log(level, text, attrs)
		return starlark.None, e.text(len(text))
	}), nil
}

// log hands a line to the installation's log and keeps it for the test
// endpoint. Lines beyond the limit are dropped.
func (e *evaluation) log(level, text string, attrs map[string]string) {
	if len(e.logs) >= e.limits.Messages {
		return
	}
	e.logs = append(e.logs, LogLine{Level: level, Text: text, Attrs: attrs})
	if e.env.Logger == nil {
		return
	}
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn}
	at, ok := levels[level]
	if !ok {
		at = slog.LevelError
	}
	args := []slog.Attr{slog.String("expression", e.name), slog.String("text", text)}
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		args = append(args, slog.String("expression."+k, attrs[k]))
	}
	e.env.Logger.LogAttrs(context.WithoutCancel(e.ctx), at, "expression log", args...)
}
