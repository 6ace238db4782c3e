package expression

import (
	"strings"

	"go.starlark.net/starlark"
)

// module is an importable module. Modules are shared and never change.
type module struct {
	opaque
	name    string
	members map[string]starlark.Value
}

func newModule(name string, members map[string]starlark.Value) *module {
	return &module{opaque{"module"}, name, members}
}

func (m *module) attr(_ *evaluation, name string) (starlark.Value, error) {
	return m.members[name], nil
}

// functions makes members of functions.
func functions(of map[string]fn) map[string]starlark.Value {
	out := map[string]starlark.Value{}
	for name, f := range of {
		out[name] = builtin(name, f)
	}
	return out
}

// newModules makes every importable module, and the packages above them.
func (c *Compiler) newModules() map[string]*module {
	all := map[string]*module{}
	for _, m := range append(modulesOfModels(),
		c.moduleRe(), moduleJSON(), moduleDatetime(), moduleTime(), moduleBase64(), moduleHashlib(), moduleMath(),
		moduleString(), moduleUUID(), moduleURL(), moduleRandom("random"), moduleRandom("secrets"),
		moduleRequests(), newModule("requests.exceptions", requestErrors()),
		newModule("ipaddress", functions(map[string]fn{
			"ip_address": fnIPAddress, "ip_network": fnIPNetwork, "IPv4Address": fnIPAddress, "IPv6Address": fnIPAddress,
			"IPv4Network": fnIPNetwork, "IPv6Network": fnIPNetwork,
		})),
		moduleModels(), moduleConfig(), moduleAdmin(), moduleTimezone(), moduleExceptions(), moduleValidators(),
	) {
		all[m.name] = m
	}
	for name, m := range all {
		for {
			parent, child, ok := cutLast(name)
			if !ok {
				break
			}
			up, exists := all[parent]
			if !exists {
				up = newModule(parent, map[string]starlark.Value{})
				all[parent] = up
			}
			up.members[child] = m
			name, m = parent, up
		}
	}
	return all
}

func cutLast(name string) (parent, child string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

func (c *Compiler) importModule(name string) (*module, error) {
	m, ok := c.modules[name]
	if !ok {
		return nil, raise(excModule, "No module named '%s' is available to expressions", name)
	}
	return m, nil
}

// opImport is python.OpImport.
func opImport(e *evaluation, c call) (starlark.Value, error) {
	name := string(c.args[0].(starlark.String))
	if len(c.args) == 1 {
		return e.c.importModule(name)
	}
	member := string(c.args[1].(starlark.String))
	if m, ok := e.c.modules[name+"."+member]; ok {
		return m, nil
	}
	m, err := e.c.importModule(name)
	if err != nil {
		return nil, err
	}
	if v, ok := m.members[member]; ok {
		return v, nil
	}
	return nil, raise(excImport, "cannot import name '%s' from '%s' in expressions", member, name)
}
