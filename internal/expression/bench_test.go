package expression_test

import (
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// benchBody is the policy of the shipped login flow that every login runs.
const benchBody = `flow_plan = request.context.get("flow_plan")
if not flow_plan:
    return True
return not hasattr(flow_plan.context.get("pending_user"), "backend")
`

// benchLong is about as long as the longest published policy.
const benchLong = `import re
prompt_data = request.context.get("prompt_data") or {}
try:
    mail = prompt_data["email"].strip().lower()
except (KeyError, AttributeError):
    ak_message("missing")
    return False
domain = mail.split("@")[-1]
allowed = [d.lower() for d in ("example.com", "Example.org", "example.net")]
if not any(domain == d or domain.endswith(f".{d}") for d in allowed):
    ak_message(f"{domain} is not allowed")
    return False
return bool(re.match(r"^[a-z0-9.]+@", mail)) and 3 <= len(mail) < 200
`

func BenchmarkCompile(b *testing.B) {
	for name, body := range map[string]string{"short": benchBody, "long": benchLong} {
		b.Run(name, func(b *testing.B) {
			c := expression.NewCompiler(expression.Env{CacheSize: 1})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				// Another comment makes another text, so nothing comes from the cache.
				if _, err := c.Compile("bench", body+"#"+string(rune('a'+i%26))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompileCached(b *testing.B) {
	c := expression.NewCompiler(expression.Env{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Compile("bench", benchLong); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	for name, body := range map[string]string{"short": benchBody, "long": benchLong} {
		b.Run(name, func(b *testing.B) {
			p, err := expression.Compile("bench", body, expression.Env{})
			if err != nil {
				b.Fatal(err)
			}
			scope := expression.Scope{Request: request(), Policy: true}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(ctx, scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
