package weir

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// formFlow asks twice; the second form shows what the first one kept.
const formFlow = `
version: 1
entries:
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: form}, attrs: {name: form, title: "Tell us", designation: stage_configuration}}
  - {model: authentik_policies_expression.expressionpolicy, id: polite, identifiers: {name: polite},
     attrs: {expression: "if context['prompt_data']['wish'] == 'more':\n    ak_message('Say please.')\n    return False\nreturn True"}}
  - {model: authentik_stages_prompt.prompt, id: wish, identifiers: {name: wish}, attrs: {field_key: wish, label: Wish, type: text, order: 1, sub_text: "<b>Think</b> <script>alert(1)</script>"}}
  - {model: authentik_stages_prompt.prompt, id: team, identifiers: {name: team}, attrs: {field_key: team, label: Team, type: dropdown, order: 2,
     placeholder: "return [{'value': str(i), 'label': f'Team {i}'} for i in range(3)]", placeholder_expression: true, initial_value: "1"}}
  - {model: authentik_stages_prompt.prompt, id: news, identifiers: {name: news}, attrs: {field_key: news, label: News, type: checkbox, order: 3, initial_value: "true"}}
  - {model: authentik_stages_prompt.prompt, id: photo, identifiers: {name: photo}, attrs: {field_key: photo, label: Photo, type: file, order: 4, required: false}}
  - {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf wish, !KeyOf team, !KeyOf news, !KeyOf photo], validation_policies: [!KeyOf polite]}}
  - {model: authentik_stages_prompt.prompt, id: all, identifiers: {name: all}, attrs: {field_key: all, label: All, type: text_area_read_only, initial_value: "return repr(sorted(prompt_context.items()))", initial_value_expression: true}}
  - {model: authentik_stages_prompt.promptstage, id: tell, identifiers: {name: tell}, attrs: {fields: [!KeyOf all]}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf ask, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf tell, order: 2}}
`

// kept is what the second form says about the first one.
func kept(t *testing.T, r reply) string {
	t.Helper()
	fields, _ := r.body["fields"].([]any)
	if len(fields) != 1 {
		t.Fatalf("status %d, body %v", r.status, r.body)
	}
	return fmt.Sprint(fields[0].(map[string]any)["initial_value"])
}

func TestFormsOverTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := start(t, s)
		apply(t, site, formFlow)
		c := visit(t, site)
		const executor = "/api/v3/flows/executor/form/"
		if r := c.do("GET", executor, ""); r.component() != "ak-stage-prompt" || len(r.body["fields"].([]any)) != 4 {
			t.Fatalf("first form: %v", r.body)
		}
		r := c.do("POST", executor, `{"wish":"more","team":"7"}`)
		if got := fmt.Sprint(r.body["response_errors"]); !strings.Contains(got, "team") || strings.Contains(got, "Say please.") {
			t.Errorf("a wrong choice: %s", got)
		}
		r = c.do("POST", executor, `{"wish":"more","team":"2"}`)
		if got := fmt.Sprint(r.body["response_errors"]); !strings.Contains(got, "Say please.") {
			t.Errorf("a refused wish: %s", got)
		}
		c.do("POST", executor, `{"wish":" tea, please ","team":"2","component":"ak-stage-prompt"}`)
		if got, want := kept(t, c.do("GET", executor, "")), "[('news', True), ('team', '2'), ('wish', ' tea, please ')]"; got != want {
			t.Errorf("kept %s, want %s", got, want)
		}
	})
}

var hiddenInput = regexp.MustCompile(`name="(weir\.[a-z]+)" value="([^"]*)"`)

// A browser sends a form with files in parts; a box that is not ticked says so
// by the hidden field before it.
func TestFormsAsAPage(t *testing.T) {
	site := start(t, settings(t))
	apply(t, site, formFlow)
	c := visit(t, site)
	const page = "/if/flow/form/"
	send := func(values map[string][]string, file string) reply {
		t.Helper()
		shown := c.do("GET", page, "", "Sec-Fetch-Site", "same-origin")
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, m := range hiddenInput.FindAllStringSubmatch(string(shown.raw), -1) {
			_ = w.WriteField(m[1], m[2])
		}
		for name, list := range values {
			for _, v := range list {
				_ = w.WriteField(name, v)
			}
		}
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="photo"; filename="a.png"`}, "Content-Type": {"image/png"}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, file)
		_ = w.Close()
		return c.do("POST", page, b.String(), "Content-Type", w.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
	}
	first := string(c.do("GET", page, "", "Sec-Fetch-Site", "same-origin").raw)
	for _, want := range []string{`enctype="multipart/form-data"`, `<b>Think</b>`, `<option value="1" selected>Team 1</option>`, `type="checkbox" id="news" name="news" value="on" checked`} {
		if !strings.Contains(first, want) {
			t.Errorf("the page lacks %s:\n%s", want, first)
		}
	}
	if strings.Contains(first, "alert(1)") {
		t.Error("a script came through")
	}
	if r := send(map[string][]string{"wish": {""}, "team": {"0"}, "news": {"off"}}, "x"); r.status != http.StatusUnprocessableEntity ||
		!strings.Contains(string(r.raw), `<option value="0" selected>`) || strings.Contains(string(r.raw), `name="news" value="on" checked`) {
		t.Errorf("refused: status %d, %s", r.status, string(r.raw))
	}
	if r := send(map[string][]string{"wish": {"x"}, "team": {"0"}, "news": {"off"}}, strings.Repeat("x", 300<<10)); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large file: status %d", r.status)
	}
	if r := send(map[string][]string{"wish": {"x"}, "team": {"0"}, "news": {"off"}}, "hello"); r.status != http.StatusSeeOther {
		t.Fatalf("sent: status %d, %s", r.status, string(r.raw))
	}
	if got, want := kept(t, c.do("GET", "/api/v3/flows/executor/form/", "")), "[('news', False), ('photo', 'data:image/png;base64,aGVsbG8='), ('team', '0'), ('wish', 'x')]"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

func TestPromptsOverTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		_, looker := o.clerk("looker", "view_prompt")
		_, author := o.clerk("author", "add_prompt")
		good := m{"name": "n", "field_key": "k", "label": "L", "type": "text", "initial_value": "return user.username", "initial_value_expression": true}
		broken := m{"name": "n", "field_key": "k", "label": "L", "type": "text", "placeholder": "x = 1\nreturn (", "placeholder_expression": true}
		raises := m{"name": "n", "field_key": "k", "label": "L", "type": "text", "placeholder": "return 1/0", "placeholder_expression": true}
		const prompts = "stages/prompt/prompts/"
		rows := []struct {
			name, who, path string
			body            m
			status          int
			says            string
		}{
			{"a preview shows what the caller would see", author, prompts + "preview/", good, 200, "author"},
			{"rule 11: looking is not running", looker, prompts + "preview/", good, 403, ""},
			{"a preview tells what is wrong", author, prompts + "preview/", raises, 400, "division by zero"},
			{"a preview of what cannot be compiled", author, prompts + "preview/", broken, 400, "line 2"},
			{"what cannot be compiled is not stored", author, prompts, broken, 400, "line 2, column 9"},
			{"an unknown type", author, prompts, m{"name": "n", "field_key": "k", "label": "L", "type": "alert_success"}, 400, "type"},
			{"a key that belongs to the page", author, prompts, m{"name": "n", "field_key": "weir.step", "label": "L", "type": "text"}, 400, "field_key"},
			{"stored", author, prompts, good, 201, "return user.username"},
			{"the name is taken", author, prompts, good, 400, "name"},
		}
		for _, row := range rows {
			got := o.call(row.who, "POST", row.path, row.body)
			if got.status != row.status || !strings.Contains(got.raw, row.says) {
				t.Errorf("%s: status %d, want %d with %q:\n%s", row.name, got.status, row.status, row.says, got.raw)
			}
		}
	})
}

// A program with an API token walks flows of several stages, like everybody who
// keeps the cookie.
func TestFormsWithAnAPIToken(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token = adminKey
		site := start(t, s)
		apply(t, site, strings.Replace(formFlow, "designation: stage_configuration", "designation: stage_configuration, authentication: require_authenticated", 1))
		c := visit(t, site)
		const executor = "/api/v3/flows/executor/form/"
		bearer := []string{"Authorization", "Bearer " + adminKey}
		if r := c.do("GET", executor, "", bearer...); len(r.header.Values("Set-Cookie")) > 1 {
			t.Errorf("a look sets %q", r.header.Values("Set-Cookie"))
		}
		c.do("POST", executor, `{"wish":"tea","team":"2"}`, bearer...)
		if got := kept(t, c.do("GET", executor, "", bearer...)); !strings.Contains(got, "tea") {
			t.Errorf("kept %s", got)
		}
	})
}
