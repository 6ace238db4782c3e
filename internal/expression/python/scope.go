package python

// scope says where names live. Function scopes hold the names that a function
// binds; comprehension scopes hold their loop variables.
type scope struct {
	parent *scope
	// comp marks the scope of a comprehension.
	comp bool
	// vars maps each name bound here to whether it lives in a box, because a
	// nested function (or a try body, which becomes one) rebinds it.
	vars map[string]bool
	// params are those of vars that are bound from the start.
	params map[string]bool
	// order lists vars in order of appearance, so that output is stable.
	order []string
	// outer holds the names that `nonlocal` or `global` hands to an
	// enclosing function.
	outer map[string]Pos
	inner map[*defStmt]*scope
	defs  []*defStmt
}

func newScope(parent *scope) *scope {
	return &scope{parent: parent, vars: map[string]bool{}, params: map[string]bool{}}
}

// analyse collects the names of a function and, recursively, of the functions
// defined in it.
func analyse(parent *scope, params []param, body []stmt) *scope {
	s := newScope(parent)
	s.outer, s.inner = map[string]Pos{}, map[*defStmt]*scope{}
	for _, p := range params {
		if p.name != "" {
			s.bind(p.name, false)
			s.params[p.name] = true
		}
	}
	top := parent == nil
	s.declare(body, top)
	s.collect(body, false)
	for name, at := range s.outer {
		owner := parent.owner(name)
		if owner == nil {
			fail(at, "assign it in the enclosing function first", "no binding for nonlocal '%s' found", name)
		}
		owner.vars[name] = true
	}
	for _, d := range s.defs {
		s.inner[d] = analyse(s, d.params, d.body)
	}
	return s
}

// owner finds the function scope that binds name.
func (s *scope) owner(name string) *scope {
	for ; s != nil; s = s.parent {
		if _, ok := s.vars[name]; ok && !s.comp {
			return s
		}
	}
	return nil
}

func (s *scope) bind(name string, boxed bool) {
	if _, ok := s.outer[name]; ok {
		return
	}
	old, ok := s.vars[name]
	if !ok {
		s.order = append(s.order, name)
	}
	s.vars[name] = old || boxed
}

// declare finds global and nonlocal statements before any name is bound. At
// the top of a body both mean the body's own names.
func (s *scope) declare(body []stmt, top bool) {
	walk(body, func(st stmt) {
		d, ok := st.(*scopeStmt)
		if !ok || top {
			return
		}
		for _, name := range d.names {
			if _, param := s.vars[name]; param {
				fail(d.Pos, "", "name '%s' is parameter and nonlocal", name)
			}
			if d.global && s.parent.owner(name) == nil {
				root := s.parent
				for root.parent != nil {
					root = root.parent
				}
				root.bind(name, true)
			}
			s.outer[name] = d.Pos
		}
	})
}

// collect binds the names that statements assign; inTry tells that they run
// inside a try statement and therefore in a function of their own.
func (s *scope) collect(body []stmt, inTry bool) {
	for _, st := range body {
		switch st := st.(type) {
		case *assignStmt:
			for _, t := range st.targets {
				s.target(t, inTry)
			}
		case *augStmt:
			s.target(st.target, inTry)
		case *importStmt:
			s.bind(st.name, inTry)
		case *defStmt:
			s.bind(st.name, inTry)
			s.defs = append(s.defs, st)
		case *ifStmt:
			s.collect(st.yes, inTry)
			s.collect(st.not, inTry)
		case *forStmt:
			s.target(st.target, inTry)
			s.collect(st.body, inTry)
			s.collect(st.orElse, inTry)
		case *whileStmt:
			s.collect(st.body, inTry)
			s.collect(st.orElse, inTry)
		case *tryStmt:
			s.collect(st.body, true)
			for _, h := range st.handlers {
				if h.name != "" {
					s.bind(h.name, true)
				}
				s.collect(h.body, true)
			}
			s.collect(st.orElse, true)
			s.collect(st.finally, true)
		}
	}
}

func (s *scope) target(x expr, boxed bool) {
	switch x := x.(type) {
	case *nameExpr:
		s.bind(x.id, boxed)
	case *displayExpr:
		for _, e := range x.elems {
			s.target(e, boxed)
		}
	case *starExpr:
		s.target(x.x, boxed)
	}
}

// walk calls f for every statement of a function, not of nested functions.
func walk(body []stmt, f func(stmt)) {
	for _, st := range body {
		f(st)
		switch st := st.(type) {
		case *ifStmt:
			walk(st.yes, f)
			walk(st.not, f)
		case *forStmt:
			walk(st.body, f)
			walk(st.orElse, f)
		case *whileStmt:
			walk(st.body, f)
			walk(st.orElse, f)
		case *tryStmt:
			walk(st.body, f)
			for _, h := range st.handlers {
				walk(h.body, f)
			}
			walk(st.orElse, f)
			walk(st.finally, f)
		}
	}
}
