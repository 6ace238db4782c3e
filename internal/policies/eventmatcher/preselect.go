package eventmatcher

import "github.com/weir-id/weir/internal/event"

// CanMatch tells whether an event may pass, without a look at the query: package
// notification asks so of every event, to leave most of them alone.
func (m *matcher) CanMatch(e *event.Recorded) bool {
	c := m.config
	return (c.Action == nil || *c.Action == e.Action) && (c.App == nil || string(*c.App) == e.App) && (c.ClientIP == nil || *c.ClientIP == e.ClientIP)
}
