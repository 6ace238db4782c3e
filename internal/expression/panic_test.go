package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// oddArguments are argument lists that few functions expect.
var oddArguments = []string{
	"", "1", "-1", "'a'", "None", "[]", "{}", "b'x'", "1.5", "request", "len", "'a', 'b'", "1, 2", "[1], [2]", "'a', 1", "1, 2, 3", "'a', 'b', 'c'",
	"None, None, None, None", "x=1", "'a', x=None", "*[1, 2, 3, 4, 5]", "key=None", "10 ** 30", "-10 ** 30", "float('nan')", "[1, 2], key=1", "request.user",
	"ip_address('::1')", "lambda: 1", "lambda x: x, [1]", "'%d', 'x'", "ValueError", "{1}, [1]",
}

// Every function and method, called with arguments of all kinds, either works
// or raises; none of them fails inside.
func TestNothingFailsInside(t *testing.T) {
	c := NewCompiler(Env{})
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(c.globals)) {
		if name[0] != '$' && name != "requests" {
			calls = append(calls, name)
		}
	}
	for value, methods := range map[string]map[string]method{
		"'aé b'": c.methods.text, "b'ab'": c.methods.bytes, "[1, 'a']": c.methods.list, "(1, 2)": c.methods.tuple,
		"{'a': 1}": c.methods.dict, "{1, 2}": c.methods.set, "(7)": c.methods.number, "(1.5)": c.methods.number,
	} {
		for name := range methods {
			calls = append(calls, value+"."+name)
		}
	}
	for path, m := range c.modules {
		for name := range m.members {
			calls = append(calls, "imported('"+path+"', '"+name+"')")
		}
	}
	calls = append(calls, "re.compile('(a)').sub", "re.compile('a').split", "re.search('(?P<n>a)', 'a').group", "re.search('a', 'a').span",
		"datetime.datetime(2024, 1, 2).replace", "datetime.datetime(2024, 1, 2).strftime", "datetime.datetime(2024, 1, 2).astimezone",
		"ip_network('10.0.0.0/8').subnet_of", "request.user.groups.filter", "request.user.groups.get", "request.user.groups.values_list",
		"request.user.groups.order_by", "request.http_request.GET.get", "request.http_request.headers.get", "request.http_request.build_absolute_uri",
		"ak_logger.info", "iter([1])", "hashlib.md5().update", "datetime.timedelta(1).total_seconds")
	var operators []string
	for _, op := range []string{"+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "<", "==", "in", "is", "and"} {
		operators = append(operators, "(lambda a, b: a "+op+" b)")
	}
	calls = append(calls, operators...)
	calls = append(calls, "(lambda a: -a)", "(lambda a: ~a)", "(lambda a, b: a[b])", "(lambda a, b, c: a[b:c])", "(lambda a, b: f'{a:{b}}')", "(lambda a: f'{a!r:>9}')", "(lambda a: a.name)", "(lambda *a: [x for x in a[0]])")
	scope := Scope{Policy: true, Request: &policy.Request{User: identity.Anonymous(), HTTP: &policy.HTTPRequest{}, Context: map[string]any{}}}
	for _, name := range calls {
		prefix := "import re, datetime, hashlib\n"
		if strings.HasPrefix(name, "imported(") {
			parts := strings.Split(name, "'")
			prefix, name = fmt.Sprintf("from %s import %s as member\n", parts[1], parts[3]), "member"
		}
		for _, args := range oddArguments {
			body := prefix + "return repr(" + name + "(" + args + "))"
			p, err := c.Compile("p", body)
			if err != nil {
				t.Errorf("%s: %v", body, err)
				continue
			}
			if _, err := p.Run(t.Context(), scope); err != nil && strings.Contains(err.Error(), "internal error") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}
