// Package expression runs the Python bodies that administrators write in
// policies, prompts and mappings. Package python turns a body into a Starlark
// program; this package gives it Python's operators, functions, exceptions and
// modules, the objects of an execution (user, request, plan) and the helper
// functions.
//
// A body can reach nothing but what Env and Scope give it: there are no files,
// no other bodies, no servers but those that an administrator has listed, and
// every evaluation has its own copy of the context (rules 9 and 11 of the
// security rules). Steps, call depth, elements,
// text and integer sizes are limited; the clock is the context's deadline.
// Neither limits nor deadline can be caught by a body.
//
// What a body wants to change in the plan comes back as policy.Writes and is
// applied by the caller; after an error there is nothing to apply.
package expression
