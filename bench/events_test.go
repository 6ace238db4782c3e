package bench

import (
	"net/http"
	"testing"
)

// BenchmarkEvents lists, searches and counts WEIR_BENCH_EVENTS events, or a
// million, of one year. The time of a list must not grow with them.
func BenchmarkEvents(b *testing.B) {
	rows := []struct{ name, path string }{
		{"first page", "events/events/"},
		{"last page", "events/events/?page=last"},
		{"the earliest", "events/events/?ordering=created"},
		{"by user", "events/events/?ordering=user"},
		{"one action", "events/events/?actions=login"},
		{"several actions", "events/events/?actions=login&actions=logout&actions=model_created"},
		{"part of an action", "events/events/?action=log"},
		{"one person", "events/events/?username=person777"},
		{"nobody", "events/events/?username=nobody"},
		{"address of all", "events/events/?client_ip=192.0.2.1"},
		{"address of nobody", "events/events/?client_ip=192.0.2.2"},
		{"model of none", "events/events/?context_model_pk=1"},
		{"search", "events/events/?search=person7"},
		{"search nothing", "events/events/?search=nothing"},
		{"volume of a week", "events/events/volume/"},
		{"volume of 60 days", "events/events/volume/?history_days=60"},
		{"volume of an action", "events/events/volume/?actions=login"},
		{"stats", "events/events/stats/?count_steps=hours=1&count_steps=days=1&count_steps=days=30"},
		{"applications", "events/events/top_per_user/"},
	}
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			s := settings(b, database)
			site := open(b, s)
			fillEvents(b, s, number(b, "WEIR_BENCH_EVENTS", 1_000_000), 1000)
			for _, row := range rows {
				b.Run(row.name, func(b *testing.B) {
					site.b = b
					for b.Loop() {
						site.call(http.MethodGet, row.path, "", http.StatusOK)
					}
				})
			}
		})
	}
}
