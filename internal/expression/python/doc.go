// Package python is the front end for expression bodies: it reads the subset of
// Python 3 that administrators write and turns it into a Starlark syntax tree
// with the same meaning and the same line numbers. It is the only place that
// knows Python; it runs nothing.
//
// A body is the inside of a function, so `return` is legal at its top. Where
// Starlark's own operators differ from Python's (text counted in bytes, no
// limits on repetition, other error texts), the tree hands the values to the
// runtime instead, by operators that mean nothing to Starlark there (see Machine
// for the contract). Names that the translation adds start with a dollar sign,
// which no author can write.
//
// Rejected when a body is saved, with a hint what to write instead: class,
// yield, async, await, decorators, match, with, the walrus operator, del of
// plain names, exec, eval and every name that starts with two underscores
// (except the pair x.__class__.__name__, which is read as the type's name).
//
// Differences from Python that remain: generator expressions are evaluated at
// once, continuation lines of triple-quoted texts are kept as typed, and a name
// bound by `except ... as e` stays bound after the handler.
package python
