package expression

import (
	"encoding/json"
	"net/mail"
	"strings"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Limits of one mail, next to maxMails.
const (
	maxRecipients = 50
	maxSubject    = 900 // characters; a line of a mail has at most 998 bytes (RFC 5322 section 2.1.1)
)

// akSendEmail asks for a mail, which the caller of the policy sends once the
// policy has passed or failed.
func akSendEmail(e *evaluation, c call) (starlark.Value, error) {
	var address, subject starlark.Value
	var body, stage, template, context, cc, bcc starlark.Value = starlark.None, starlark.None, starlark.None, starlark.None, starlark.None, starlark.None
	if err := c.take("address", &address, "subject", &subject, "body?", &body, "stage?", &stage, "template?", &template,
		"context?", &context, "cc?", &cc, "bcc?", &bcc); err != nil {
		return nil, err
	}
	switch {
	case !e.scope.Policy:
		return nil, raise(excPermission, "ak_send_email: only policies can send mail")
	case (body == starlark.None) == (template == starlark.None):
		return nil, raise(excValue, "ak_send_email: give either body or template")
	case stage != starlark.None:
		return nil, raise(excNotImpl, "ak_send_email: mail is sent with the settings of the installation; leave stage out")
	}
	m := policy.Mail{}
	for _, list := range []struct {
		name string
		from starlark.Value
		to   *[]string
	}{{"address", address, &m.To}, {"cc", cc, &m.Cc}, {"bcc", bcc, &m.Bcc}} {
		var err error
		if list.from == starlark.None && list.to != &m.To {
			continue
		}
		if *list.to, err = e.recipients(list.name, list.from); err != nil {
			return nil, err
		}
	}
	if len(m.To)+len(m.Cc)+len(m.Bcc) > maxRecipients {
		return nil, raise(excValue, "ak_send_email: more than %d addresses", maxRecipients)
	}
	text, ok := subject.(starlark.String)
	if m.Subject = string(text); !ok || strings.ContainsAny(m.Subject, "\r\n\x00") || len([]rune(m.Subject)) > maxSubject {
		return nil, raise(excValue, "ak_send_email: the subject is a text of one line with at most %d characters", maxSubject)
	}
	if err := e.content(&m, body, template, context); err != nil {
		return nil, err
	}
	if e.counted().mails.Add(1) > maxMails {
		return nil, e.limit("too many mails")
	}
	e.mails = append(e.mails, m)
	return starlark.True, nil
}

// content fills in what the mail says.
func (e *evaluation) content(m *policy.Mail, body, template, context starlark.Value) error {
	if body != starlark.None {
		m.Body = str(body)
		if m.Body == "" {
			return raise(excValue, "ak_send_email: the body is empty")
		}
		return e.text(len(m.Body))
	}
	name, ok := template.(starlark.String)
	if m.Template = string(name); !ok || !templateName(m.Template) {
		return raise(excValue, "ak_send_email: %s is no name of a template", repr(template))
	}
	if context == starlark.None {
		return nil
	}
	if _, ok := context.(*starlark.Dict); !ok {
		return raise(excValue, "ak_send_email: context is a dict")
	}
	values, err := e.toGo(context, false)
	m.Context, _ = plain(values).(map[string]any)
	return err
}

// plain makes JSON of a value: of people and objects there is what names them,
// since a mail waits in a queue and shows nothing else.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, json.Number:
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = plain(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case *identity.Person:
		return map[string]any{"pk": v.ID, "username": v.Username, "name": v.Name, "email": v.Email}
	case *flow.Ref:
		return map[string]any{"pk": v.ID.String(), "name": v.Name}
	}
	return nil
}

// templateName accepts names such as email/account_confirmation.html, which
// lead to no other folder.
func templateName(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.ContainsFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
		}) {
			return false
		}
	}
	return len(s) <= 200
}

// recipients reads one address or a list of them.
func (e *evaluation) recipients(name string, v starlark.Value) ([]string, error) {
	var list []starlark.Value
	switch v := v.(type) {
	case starlark.String:
		list = []starlark.Value{v}
	case *starlark.List:
		list = listItems(v)
	default:
		return nil, raise(excValue, "ak_send_email: %s is a text or a list of texts, not '%s'", name, kindOf(v))
	}
	if len(list) == 0 {
		return nil, raise(excValue, "ak_send_email: the list %s is empty", name)
	}
	out := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(starlark.String)
		a, err := mail.ParseAddress(string(text))
		if !ok || err != nil || a.Address != string(text) || strings.ContainsAny(a.Address, "\r\n\x00") {
			return nil, raise(excValue, "ak_send_email: %s is no e-mail address", repr(item))
		}
		out[i] = a.Address
	}
	return out, nil
}
