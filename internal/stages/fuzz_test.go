package stages_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/weir-id/weir/flow/flowtest"
)

// FuzzRule01Answers sends any object to every stage, twice: only an answer that
// holds the right values passes (rule 1).
func FuzzRule01Answers(f *testing.F) {
	seeds := []string{`{"password":["right"]}`, `{"uid_field":{"ann":1},"password":null}`, `{"uid_field":"ann","password":"Right"}`, `{"selected_stage":"11111111-1111-4111-8111-111111111111"}`,
		`{"to":"/elsewhere/"}`, `{"component":""}`, `{"remember_me":{}}`, `{"code":1e400}`, `{"":"","\u0000":0}`, `{"selected_challenge":{"device_class":"totp","device_uid":"1"},"webauthn":{}}`, "{}"}
	for n := range subjects {
		for _, s := range seeds {
			f.Add(uint8(n), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, raw []byte) {
		s := subjects[int(n)%len(subjects)]
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var body map[string]any
		if decoder.Decode(&body) != nil || s.ignores != "" || holdsRight(s, body) {
			return
		}
		w, b := s.world(t)
		for range 2 {
			if r := b.Post(t, "f", "", maps.Clone(body)); passed(b, r) {
				t.Fatalf("%s: %s passed", s.name, raw)
			}
		}
		if user, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); user != 0 {
			t.Fatalf("%s: %s signed user %d in", s.name, raw, user)
		}
	})
}

// holdsRight tells whether a body may count as the right answer: it holds each
// of its texts, perhaps with blanks around, and of a question with yes and no
// anything but nothing, a list or an object.
func holdsRight(s subject, body map[string]any) bool {
	for key, want := range s.right {
		switch got := body[key].(type) {
		case nil, []any, map[string]any:
			return false
		default:
			if _, text := want.(string); text && strings.TrimSpace(fmt.Sprint(got)) != want {
				return false
			}
		}
	}
	return s.right != nil
}
