package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apiCall is one call of the official client.
type apiCall struct {
	API    string         `json:"api"`
	Call   string         `json:"call"`
	Args   map[string]any `json:"args"`
	Schema string         `json:"schema"`
	Token  string         `json:"token,omitempty"`
	// Text tells that the answer is no JSON.
	Text bool `json:"text,omitempty"`
}

// apiAnswer is what came back for it.
type apiAnswer struct {
	Status   int            `json:"status"`
	Hops     int            `json:"hops"`
	Data     map[string]any `json:"-"`
	Raw      any            `json:"data"`
	Problems []string       `json:"problems"`
	Failure  string         `json:"failure"`
}

func get(slug, query string) apiCall {
	return apiCall{API: "FlowsApi", Call: "flowsExecutorGet", Schema: "ChallengeTypes", Args: map[string]any{"flowSlug": slug, "query": query}}
}

func solve(slug, query string, answer map[string]any) apiCall {
	return apiCall{API: "FlowsApi", Call: "flowsExecutorSolve", Schema: "ChallengeTypes",
		Args: map[string]any{"flowSlug": slug, "query": query, "flowChallengeResponseRequest": answer}}
}

func me() apiCall { return apiCall{API: "CoreApi", Call: "coreUsersMeRetrieve", Schema: "SessionUser"} }

func brand() apiCall {
	return apiCall{API: "CoreApi", Call: "coreBrandsCurrentRetrieve", Schema: "CurrentBrand"}
}

func rootConfig() apiCall {
	return apiCall{API: "RootApi", Call: "rootConfigRetrieve", Schema: "Config"}
}

// officialClient is one run of the official client for all tests, since a start
// takes longer than most walks.
var officialClient struct {
	sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// speak hands a line to the official client, and returns what it printed.
func speak(input []byte) ([]byte, error) {
	c := &officialClient
	c.Lock()
	defer c.Unlock()
	if c.in == nil {
		cmd := exec.Command("node", "walk.mjs")
		cmd.Dir, cmd.Stderr = "client", &logFile
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		c.in, c.out = in, bufio.NewReader(out)
		atTheEnd(func() {
			_ = in.Close()
			_ = cmd.Wait()
		})
	}
	if _, err := c.in.Write(append(input, '\n')); err != nil {
		return nil, err
	}
	return c.out.ReadBytes('\n')
}

// officialSessions counts the sessions of the official client.
var officialSessions atomic.Int64

// official makes the calls in a session of its own and checks every answer
// against the schema that the client was made from.
func official(t *testing.T, s *site, calls ...apiCall) []apiAnswer {
	t.Helper()
	return officially(t, s, officialSessions.Add(1), calls...)
}

// officially is official in a session that there may have been before.
func officially(t *testing.T, s *site, session int64, calls ...apiCall) []apiAnswer {
	t.Helper()
	if _, err := os.Stat(filepath.Join("client", "node_modules", "@goauthentik", "api")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the official client is not installed: %v", err)
		}
		t.Skip("the official client is not installed; `make test` does that")
	}
	input, err := json.Marshal(object{"base": s.URL, "session": session, "calls": calls})
	if err != nil {
		t.Fatal(err)
	}
	output, err := speak(input)
	if err != nil {
		t.Fatalf("official client: %v", err)
	}
	var answers []apiAnswer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatalf("official client: %v in %s", err, output)
	}
	for i := range answers {
		// Lists have no members to look at.
		answers[i].Data, _ = answers[i].Raw.(map[string]any)
	}
	for i, a := range answers {
		for _, p := range a.Problems {
			t.Errorf("%s %v departs from the schema: %s", calls[i].Call, calls[i].Args, p)
		}
	}
	return answers
}

func (a apiAnswer) component() string { s, _ := a.Data["component"].(string); return s }

func component(name string) map[string]any { return map[string]any{"component": name} }

func with(m map[string]any, more ...any) map[string]any {
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

const login = "default-authentication-flow"

func TestOfficialClientSignsIn(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, db)
			user := s.user(t, "Client")
			identify := with(component("ak-stage-identification"), "uidField", user.name)
			answers := official(t, s,
				brand(), rootConfig(), me(),
				get(login, "next=%2Fx"),
				solve(login, "next=%2Fx", component("ak-stage-identification")),
				solve(login, "next=%2Fx", identify),
				solve(login, "next=%2Fx", with(component("ak-stage-password"), "password", "wrong")),
				solve(login, "next=%2Fx", with(component("ak-stage-password"), "password", user.password)),
				me(),
				get("default-invalidation-flow", ""),
				me(),
				get("remember-me", ""),
				solve("remember-me", "", with(identify, "password", user.password)),
				solve("remember-me", "", with(component("ak-stage-user-login"), "rememberMe", true)),
				get("configure-second-factor", ""),
				get("denied-message", ""), get("two-steps", ""), get("redirects", ""), get("broken", ""),
			)
			var got []string
			for _, a := range answers {
				text := a.component()
				if a.Status != 200 {
					text = a.Failure
				}
				if a.Data["response_errors"] != nil {
					text += " refused"
				}
				got = append(got, text)
			}
			want := []string{"", "", "ResponseError",
				"ak-stage-identification", "ak-stage-identification refused", "ak-stage-password", "ak-stage-password refused", "xak-flow-redirect",
				"", "xak-flow-redirect", "ResponseError",
				"ak-stage-identification", "ak-stage-user-login", "xak-flow-redirect",
				"ak-stage-authenticator-validate", "ak-stage-access-denied", "ak-stage-dummy", "xak-flow-redirect", "ak-stage-flow-error"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("answers (-want +got):\n%s", diff)
			}
			if answers[2].Status != 403 || answers[10].Status != 403 {
				t.Errorf("users/me for a visitor answers %d and %d, want 403", answers[2].Status, answers[10].Status)
			}
			if to := answers[7].Data["to"]; to != "/x" || answers[7].Data["final_redirect"] != true {
				t.Errorf("the login ends at %v", answers[7].Data)
			}
			person, _ := answers[8].Data["user"].(map[string]any)
			if person["username"] != user.name || person["is_superuser"] != false {
				t.Errorf("users/me answers %v", person)
			}
		})
	}
}

// Row 50: these keys and no others.
func TestIdentificationChallengeHasExactlyTheKnownKeys(t *testing.T) {
	s := sharedSite(t, databases[0])
	answers := official(t, s, get("only-username", ""))
	var got []string
	for key := range answers[0].Data {
		got = append(got, key)
	}
	want := []string{"allow_show_password", "captcha_stage", "component", "enable_remember_me", "flow_designation", "flow_info", "passkey_challenge",
		"password_fields", "pending_user_identifier", "primary_action", "show_source_labels", "sources", "user_fields"}
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// script is calls of the official client that build on each other, and the status that
// each is to end with.
type script struct {
	calls []apiCall
	wants []int
}

// add adds a call with the token of the administrator, and returns its number.
func (s *script) add(want int, api, call, schema string, args object) int {
	s.calls = append(s.calls, apiCall{API: api, Call: call, Schema: schema, Args: args, Token: token})
	s.wants = append(s.wants, want)
	return len(s.calls) - 1
}

// run makes the calls.
func (s *script) run(t *testing.T, at *site) []apiAnswer {
	t.Helper()
	answers := official(t, at, s.calls...)
	for i, a := range answers {
		if a.Status != s.wants[i] {
			t.Errorf("%s %v: %d, want %d: %v %s", s.calls[i].Call, s.calls[i].Args, a.Status, s.wants[i], a.Raw, a.Failure)
		}
	}
	return answers
}
