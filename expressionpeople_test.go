package weir

import (
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// What expressions find of people and groups in the databases.
func TestPeopleOfExpressions(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, `version: 1
entries:
- {model: authentik_core.group, id: all, identifiers: {name: everybody}}
- {model: authentik_core.group, id: staff, identifiers: {name: staff}, attrs: {parent: !KeyOf all, attributes: {color: red}}}
- {model: authentik_core.group, id: empty, identifiers: {name: empty}}
- {model: authentik_core.user, identifiers: {username: ann}, attrs: {name: Ann, email: Ann@Example.org, groups: [!KeyOf staff], attributes: {office: {city: Rome}, level: 3}}}
- {model: authentik_core.user, identifiers: {username: bob}, attrs: {name: Bob, email: bob@example.org, is_active: false, path: elsewhere, groups: [!KeyOf staff]}}
- {model: authentik_core.user, identifiers: {username: cas}, attrs: {name: Bob, groups: [!KeyOf all]}}
`)
		const names = "def names(q): return [u.username for u in q]\nfrom authentik.core.models import User, Group\nU = User.objects\n"
		rows := []struct{ name, body, want string }{
			{"a user name", `return names(U.filter(username="ann"))`, "['ann']"},
			{"a user name in another case", `return names(U.filter(username="ANN")), names(U.filter(username__iexact="ANN"))`, "([], ['ann'])"},
			{"an address in another case", `return names(U.filter(email__iexact="ANN@example.ORG"))`, "['ann']"},
			{"a name that two have", `return names(U.filter(name="Bob"))`, "['bob', 'cas']"},
			{"and something else", `return names(U.filter(name="Bob", is_active=True)), names(U.filter(name="Bob").exclude(path="elsewhere"))`, "(['cas'], ['cas'])"},
			{"a list of names", `return names(U.filter(username__in=["cas", "ann", "ann", "none"])), names(U.filter(username__in=[]))`, "(['ann', 'cas'], [])"},
			{"a list of ids", `ids = [u.pk for u in U.filter(name="Bob")]; return names(U.filter(pk__in=ids)), names(U.filter(pk__in=["x"]))`, "(['bob', 'cas'], [])"},
			{"attributes", `return names(U.filter(username="ann", attributes__office__city="Rome")), names(U.filter(username="ann", attributes__office__city="Oslo")), names(U.filter(username="ann", attributes__level__gt=2))`, "(['ann'], [], ['ann'])"},
			{"times", `return names(U.filter(username="ann", last_login__isnull=True)), names(U.filter(username="ann", date_joined__lt=ak_user_by(username="ann").date_joined)), names(U.filter(username="ann").exclude(last_login__isnull=True))`, "(['ann'], [], [])"},
			{"members of a group", `return names(Group.objects.get(name="staff").users.all()), names(Group.objects.get(name="everybody").users.filter(name="Bob")), Group.objects.get(name="empty").users.count()`, "(['ann', 'bob'], ['bob', 'cas'], 0)"},
			{"people by a group's name", `return names(U.filter(groups__name="staff")), names(U.filter(ak_groups__name="staff", is_active=True)), names(U.filter(groups=Group.objects.get(name="staff")))`, "(['ann', 'bob'], ['ann'], ['ann', 'bob'])"},
			{"people of a name by their groups", `return names(U.filter(name="Bob", groups__name="staff")), names(U.filter(name="Bob", groups__attributes__color="red")), names(U.filter(name="Bob").exclude(groups__name="staff"))`, "(['bob'], ['bob'], ['cas'])"},
			{"one", `return U.get(username="ann").name, ak_user_by(username="ann", is_active=False)`, "('Ann', None)"},
			{"an id that is none", `return ak_user_by(pk="x"), U.filter(uuid="x").exists()`, "(None, False)"},
			{"groups", `return [g.name for g in Group.objects.filter(name__in=["staff", "empty"]).order_by("name")], ak_is_group_member(ak_user_by(username="ann"), name="everybody"), ak_is_group_member(ak_user_by(username="cas"), name="staff")`, "(['empty', 'staff'], True, False)"},
			{"everybody", "try:\n    U.all().count()\nexcept RuntimeError as x:\n    return 'not everybody' in str(x)", "True"},
			{"everybody who is active", "try:\n    U.filter(is_active=True).exists()\nexcept RuntimeError as x:\n    return 'not everybody' in str(x)", "True"},
			{"everybody else", "try:\n    U.exclude(username='ann').exists()\nexcept RuntimeError as x:\n    return 'not everybody' in str(x)", "True"},
			{"a long list", "try:\n    U.filter(pk__in=list(range(101))).exists()\nexcept RuntimeError as x:\n    return str(x)", "find users: a list of more than 100 values"},
			{"a field that groups do not have", "try:\n    U.filter(groups__owner=1)\nexcept Exception as x:\n    return str(x)", "Unsupported lookup 'owner' for field 'groups'."},
		}
		for _, row := range rows {
			p, err := site.expressions.Compile("body", names+row.body)
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			v, err := p.Run(t.Context(), expression.Scope{Policy: true})
			if err != nil || v.Text != row.want {
				t.Errorf("%s: got %s (%v), want %s", row.name, v.Text, err, row.want)
			}
		}
	})
}
