package web_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/web"
)

// invites are the invitations of a person; err is what every change ends with.
type invites struct {
	see, add bool
	list     []web.Invitation
	more     bool
	flows    []web.Option
	err      error
	// done is what was asked for.
	done []string
}

func (i *invites) May(context.Context, *identity.Person) (see, add bool, err error) {
	return i.see, i.add, nil
}

func (i *invites) List(_ http.ResponseWriter, _ *http.Request, page int) ([]web.Invitation, bool, error) {
	i.done = append(i.done, fmt.Sprint("list ", page))
	return i.list, i.more, nil
}

func (i *invites) Flows(http.ResponseWriter, *http.Request) ([]web.Option, error) {
	return i.flows, nil
}

func (i *invites) Create(_ http.ResponseWriter, _ *http.Request, n web.NewInvitation) (uuid.UUID, error) {
	until := "ever"
	if n.Expires != nil {
		until = n.Expires.Format(time.RFC3339)
	}
	i.done = append(i.done, fmt.Sprintf("create %s for %s until %s, once %v: %s", n.Name, n.Flow, until, n.SingleUse, n.Data))
	return uuid.UUID{15: 7}, i.err
}

func (i *invites) Find(_ http.ResponseWriter, _ *http.Request, id uuid.UUID) (*web.Invitation, error) {
	for _, one := range i.list {
		if one.ID == id {
			return &one, nil
		}
	}
	return nil, web.ErrNoInvitation
}

func (i *invites) Send(_ http.ResponseWriter, _ *http.Request, id uuid.UUID, to []string) error {
	i.done = append(i.done, fmt.Sprintf("send %s to %q", id, to))
	return i.err
}

func (i *invites) Delete(_ http.ResponseWriter, _ *http.Request, id uuid.UUID) error {
	i.done = append(i.done, "delete "+id.String())
	return i.err
}

// invitingVisits is the browser of somebody who may do everything with invitations.
func invitingVisits() *visits {
	v := homeVisits()
	at := time.Date(2026, 12, 1, 14, 35, 0, 0, time.UTC)
	link := func(id uuid.UUID) string {
		return "https://id.example.com/if/flow/default-invitation-enrollment/?itoken=" + id.String()
	}
	v.invites = invites{see: true, add: true, flows: []web.Option{{Value: uuid.NewString(), Label: "Create account by invitation"}, {Value: uuid.NewString(), Label: "Partners"}}}
	for n, i := range []web.Invitation{
		{Name: "for-ada", Flow: "Create account by invitation", Expires: at, SingleUse: true, Data: "email: ada@example.com\nattributes:\n  team: red\n", MaySend: true, MayDelete: true},
		{Name: "for-" + strings.Repeat("everybody", 12), Flow: "Partners", MaySend: true, NoMail: true, Local: true},
		{Name: "summer", Flow: "Partners", Expires: at.AddDate(-1, 0, 0), Expired: true, MayDelete: true},
		{Name: "loose", SingleUse: true},
	} {
		i.ID = uuid.UUID{15: byte(n + 1)}
		if i.Flow != "" {
			i.Link = link(i.ID)
		}
		v.invites.list = append(v.invites.list, i)
	}
	return v
}

const invitationsPage = "/if/user/invitations/"

// pageOf is the page of the nth invitation of invitingVisits.
func pageOf(n byte) string { return invitationsPage + uuid.UUID{15: n}.String() + "/" }

// invitationStates are the pages of invitations, whole, empty and refused.
func invitationStates(t *testing.T) map[string]http.HandlerFunc {
	shown := func(target string, change func(v *visits)) http.HandlerFunc {
		v := invitingVisits()
		if change != nil {
			change(v)
		}
		return at(target, newSite(t, footerBrand(), &engine{}, v))
	}
	sent := func(target string, form url.Values, err error) http.HandlerFunc {
		v := invitingVisits()
		v.invites.err = err
		s := newSite(t, footerBrand(), &engine{}, v)
		return func(w http.ResponseWriter, r *http.Request) {
			again := post(target, form)
			again.Header.Set("Accept-Language", r.Header.Get("Accept-Language"))
			s.ServeHTTP(w, again)
		}
	}
	wrong := field.Errors{"name": {{String: "Enter a slug.", Code: "invalid"}}, "expires": {{String: "Enter a time.", Code: "invalid"}},
		"fixed_data": {{String: "this is not valid YAML: did not find expected ',' or ']'", Code: "invalid", Line: 3, Column: 14}}}
	return map[string]http.HandlerFunc{
		"home-inviting":          shown("/if/user/", nil),
		"invitations":            shown(invitationsPage+"?page=2", func(v *visits) { v.invites.more = true }),
		"invitations-deleted":    shown(invitationsPage+"?deleted", nil),
		"invitations-none":       shown(invitationsPage, func(v *visits) { v.invites.list, v.invites.add = nil, false }),
		"invitations-forbidden":  shown(invitationsPage, func(v *visits) { v.invites.see = false }),
		"invitation-new":         shown(invitationsPage+"new/", nil),
		"invitation-new-noflow":  shown(invitationsPage+"new/", func(v *visits) { v.invites.flows = nil }),
		"invitation-new-refused": sent(invitationsPage+"new/", url.Values{"name": {"für Ada"}, "expires": {"2020-01-02T03:04"}, "single_use": {"on"}, "fixed_data": {"email: ada@example.com\nattributes:\n  teams: [red\n"}}, wrong),
		"invitation":             shown(pageOf(1)+"?sent", nil),
		"invitation-local":       shown(pageOf(2), nil),
		"invitation-expired":     shown(pageOf(3), nil),
		"invitation-loose":       shown(pageOf(4), nil),
		"invitation-gone":        shown(pageOf(9), nil),
		"invitation-unsent":      sent(pageOf(1), url.Values{"action": {"send"}, "email_addresses": {"nobody"}}, field.Errors{"email_addresses": {{String: "wrong", Code: "invalid"}}}),
		"invitation-limited":     sent(pageOf(1), url.Values{"action": {"send"}, "email_addresses": {"ada@example.com"}}, guard.Refusal(&guard.LimitedError{Kind: guard.Address, Wait: 3 * time.Minute})),
		"invitation-impersonated": shown(pageOf(1), func(v *visits) {
			v.person.Impersonator = identity.NewPerson(identity.User{ID: 1, Username: "akadmin", Active: true}, nil)
		}),
	}
}

func TestInvitationPagesAnswer(t *testing.T) {
	boom := errors.New("boom")
	one := uuid.UUID{15: 1}.String()
	v := invitingVisits()
	s := newSite(t, nil, &engine{}, v)
	for _, tt := range []struct {
		name   string
		r      *http.Request
		change func(v *visits)
		status int
		// says and not are texts that the page has and has not, or where it leads.
		says, not string
		done      []string
	}{
		{"the home page leads there", get("/if/user/"), nil, 200, invitationsPage, "", nil},
		{"but nobody who may not see any", get("/if/user/"), func(v *visits) { v.invites.see = false }, 200, "Max Mustermann", invitationsPage, nil},
		{"the list", get(invitationsPage), nil, 200, "for-ada", "?page=", []string{"list 1"}},
		{"without the permission to add", get(invitationsPage), func(v *visits) { v.invites.add = false }, 200, "for-ada", "/new/", []string{"list 1"}},
		{"another page", get(invitationsPage + "?page=3"), func(v *visits) { v.invites.more = true }, 200, "?page=4", "", []string{"list 3"}},
		{"no page", get(invitationsPage + "?page=-1"), nil, 200, "for-ada", "?page=", []string{"list 1"}},
		{"the list, refused", get(invitationsPage), func(v *visits) { v.invites.see = false }, 403, "You may not do this", "for-ada", nil},
		{"nobody signed in", get(invitationsPage), func(v *visits) { v.person = nil }, 302, "/flows/-/default/authentication/?next=%2Fif%2Fuser%2Finvitations%2F", "", nil},
		{"nobody signed in, deleting", post(pageOf(1), url.Values{"action": {"delete"}}), func(v *visits) { v.person = nil }, 302, "/flows/-/default/authentication/", "", nil},
		{"the form", get(invitationsPage + "new/"), nil, 200, `type="datetime-local"`, "", nil},
		{"the form, refused", get(invitationsPage + "new/"), func(v *visits) { v.invites.add = false }, 403, "You may not do this", "<form", nil},
		{"making one, refused", post(invitationsPage+"new/", url.Values{"name": {"x"}}), func(v *visits) { v.invites.add = false }, 403, "You may not do this", "", nil},
		{"making one", post(invitationsPage+"new/", url.Values{"name": {" for-max "}, "flow": {"f"}, "expires": {"2027-01-02T03:04"}, "single_use": {"on"}, "fixed_data": {"a: 1"}}), nil,
			303, pageOf(7), "", []string{"create for-max for f until 2027-01-02T03:04:00Z, once true: a: 1"}},
		{"making one as typed by hand", post(invitationsPage+"new/", url.Values{"name": {"x"}, "expires": {"2027-01-02 03:04"}}), nil, 303, pageOf(7), "", []string{"create x for  until 2027-01-02T03:04:00Z, once false: "}},
		{"making one for ever", post(invitationsPage+"new/", url.Values{"name": {"x"}, "expires": {""}}), nil, 303, pageOf(7), "", []string{"create x for  until ever, once false: "}},
		{"no time", post(invitationsPage+"new/", url.Values{"name": {"kept"}, "expires": {"soon"}}), nil, 422, `value="kept"`, "checked", nil},
		{"a place in the data", post(invitationsPage+"new/", url.Values{"fixed_data": {"a: ["}}), func(v *visits) {
			v.invites.err = field.Errors{"fixed_data": {{String: "what is wrong", Code: "invalid", Line: 3, Column: 14}}}
		}, 422, "In line 3, column 14 of the details: what is wrong", "", nil},
		{"what has no text here gets that of its field", post(invitationsPage+"new/", url.Values{"name": {"a b"}}), func(v *visits) {
			v.invites.err = field.Errors{"name": {{String: "No slug.", Code: "invalid", Message: "field.slug.invalid"}}}
		}, 422, "Enter a name of letters", "No slug.", nil},
		{"making one fails", post(invitationsPage+"new/", url.Values{"name": {"x"}}), func(v *visits) { v.invites.err = boom }, 500, "Something went wrong", "boom", nil},
		{"one invitation", get(pageOf(1)), nil, 200, "itoken=" + one, "", nil},
		{"what cannot be done is not shown", get(pageOf(4)), nil, 200, "loose", "<form", nil},
		{"the link of an expired one is not shown", get(pageOf(3)), nil, 200, "Its link opens nothing any more", "itoken", nil},
		{"problems lead to their fields", post(invitationsPage+"new/", url.Values{"expires": {"soon"}, "name": {"x"}}), nil, 422, `<a href="#expires">Enter a date`, "", nil},
		{"one field has its problem beside it", post(pageOf(1), url.Values{"action": {"send"}}), func(v *visits) { v.invites.err = field.Errors{"email_addresses": {{Code: "required"}}} }, 422, `aria-invalid="true"`, "There is a problem", nil},
		{"one that is gone", get(pageOf(9)), nil, 404, "This invitation is gone", "", nil},
		{"no id", get(invitationsPage + "x/"), nil, 404, "There is nothing here", "", nil},
		{"sending", post(pageOf(1), url.Values{"action": {"send"}, "email_addresses": {"a@example.com, b@example.com;\r\n\r\nc@example.com\r\n"}}), nil, 303, pageOf(1) + "?sent", "",
			[]string{"send " + one + ` to ["a@example.com" "b@example.com" "c@example.com"]`}},
		{"sending to nobody", post(pageOf(1), url.Values{"action": {"send"}}), func(v *visits) { v.invites.err = field.Errors{"email_addresses": {{Code: "required"}}} }, 422, "Enter 1 to 20 e-mail addresses", "", []string{"send " + one + " to []"}},
		{"sending what cannot be sent", post(pageOf(2), url.Values{"action": {"send"}}), func(v *visits) { v.invites.err = field.Errors{"email_addresses": {{Code: "required"}}} }, 422, "There is a problem", "<textarea", nil},
		{"a limit", post(pageOf(1), url.Values{"action": {"send"}}), func(v *visits) {
			v.invites.err = guard.Refusal(&guard.LimitedError{Kind: guard.Address, Wait: 3 * time.Minute})
		}, 422, "Wait 3 minutes", "", nil},
		{"no mail", post(pageOf(1), url.Values{"action": {"send"}}), func(v *visits) { v.invites.err = field.Errorf(field.NonField, "invalid", "No server.") }, 422, "cannot be mailed now", "", nil},
		{"sending what may not be sent", post(pageOf(1), url.Values{"action": {"send"}}), func(v *visits) { v.invites.err = web.ErrForbidden }, 403, "You may not do this", "", nil},
		{"deleting", post(pageOf(1), url.Values{"action": {"delete"}}), nil, 303, invitationsPage + "?deleted", "", []string{"delete " + one}},
		{"deleting twice", post(pageOf(1), url.Values{"action": {"delete"}}), func(v *visits) { v.invites.err = web.ErrNoInvitation }, 404, "This invitation is gone", "", nil},
		{"something else", post(pageOf(1), url.Values{"action": {"publish"}}), nil, 400, "could not be read", "", nil},
		{"HEAD does nothing", func() *http.Request { r := get(pageOf(1)); r.Method = http.MethodHead; return r }(), nil, 200, "", "", nil},
		{"PUT", func() *http.Request { r := get(pageOf(1)); r.Method = http.MethodPut; return r }(), nil, 405, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if *v = *invitingVisits(); tt.change != nil {
				tt.change(v)
			}
			w := answer(s, tt.r)
			text := w.Body.String() + w.Header().Get("Location")
			if w.Code != tt.status || !strings.Contains(text, tt.says) || tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("status %d, want %d with %q and without %q:\n%s", w.Code, tt.status, tt.says, tt.not, text)
			}
			if tt.done != nil && !slices.Equal(v.invites.done, tt.done) {
				t.Error(cmp.Diff(tt.done, v.invites.done))
			}
			if tt.status == 403 && v.invites.err == nil && v.invites.done != nil {
				t.Errorf("refused, but %q was asked for", v.invites.done)
			}
		})
	}
}

func TestRule05InvitationsChangeFromOurPagesAlone(t *testing.T) {
	v := invitingVisits()
	s := newSite(t, nil, &engine{}, v)
	for _, form := range []*http.Request{
		post(invitationsPage+"new/", url.Values{"name": {"x"}}),
		post(pageOf(1), url.Values{"action": {"send"}, "email_addresses": {"eve@example.com"}}),
		post(pageOf(1), url.Values{"action": {"delete"}}),
	} {
		for name, header := range map[string]http.Header{
			"of another site": {"Sec-Fetch-Site": {"cross-site"}},
			"of a neighbour":  {"Sec-Fetch-Site": {"same-site"}},
			"of an old one":   {"Sec-Fetch-Site": {""}, "Origin": {"https://evil.example"}},
		} {
			r := form.Clone(t.Context())
			maps.Copy(r.Header, header)
			if w := answer(s, r); w.Code != http.StatusForbidden || v.invites.done != nil {
				t.Errorf("%s from a page %s: %d, done %q", form.URL, name, w.Code, v.invites.done)
			}
		}
	}
}

func TestRule12MarkupInInvitationsShowsAsText(t *testing.T) {
	for _, text := range hostile {
		v := invitingVisits()
		for i := range v.invites.list {
			one := &v.invites.list[i]
			one.Name, one.Flow, one.Data, one.Link = text, text, text, text
		}
		v.invites.flows = []web.Option{{Value: text, Label: text}}
		v.invites.err = field.Errors{"fixed_data": {{String: text, Code: text, Line: 1}}, text: {{String: text, Code: text}}}
		s := newSite(t, nil, &engine{}, v)
		typed := url.Values{"name": {text}, "fixed_data": {text}, "flow": {text}, "email_addresses": {text}, "action": {"send"}}
		for _, r := range []*http.Request{get(invitationsPage), get(invitationsPage + "new/"), get(pageOf(1)), post(invitationsPage+"new/", typed), post(pageOf(1), typed)} {
			if w := answer(s, r); harmful.MatchString(w.Body.String()) || w.Code >= 500 {
				t.Errorf("%s with %q: %d\n%s", r.URL, text, w.Code, w.Body)
			}
		}
	}
}

// TestTheCopyButtonWaitsForTheModule: nothing on these pages needs JavaScript, and
// what does is not there without it.
func TestTheCopyButtonWaitsForTheModule(t *testing.T) {
	page := answer(newSite(t, nil, &engine{}, invitingVisits()), get(pageOf(1))).Body.String()
	for button := range strings.SplitSeq(page, "<button") {
		if tag, _, _ := strings.Cut(button, ">"); strings.Contains(tag, `type="button"`) && !strings.Contains(tag, " hidden ") {
			t.Errorf("shown without the module: <button%s>", tag)
		}
	}
	if !strings.Contains(page, "data-copy hidden") {
		t.Error("there is no button to copy the link")
	}
}
