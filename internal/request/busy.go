package request

import "net/http"

// AskLater tells a client that met an overloaded server when to try again.
func AskLater(h http.Header) { h.Set("Retry-After", "5") }
