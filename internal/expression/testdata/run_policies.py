# Runs the bodies of a JSON list on standard input as policies, with small
# stand-ins for what expressions find, and prints their results: the repr of the
# value or "raises Class: text", and a line for each message. A body is wrapped
# as an evaluator does: indented by four spaces, behind a function line whose
# parameters are the variables; helpers are globals.
import ipaddress
import json
import re
import sys
import textwrap
import types


class Manager(list):
    def all(self):
        return self

    def filter(self, **fields):
        return Manager(x for x in self if all(match(x, k, v) for k, v in fields.items()))

    def exists(self):
        return bool(self)

    def first(self):
        return self[0] if self else None

    def count(self):
        return len(self)


def match(x, field, value):
    name, _, op = field.partition("__")
    have = getattr(x, "id" if name == "pk" else name)
    return {
        "": lambda: have == value,
        "iexact": lambda: have.lower() == value.lower(),
        "in": lambda: have in value,
        "icontains": lambda: value.lower() in have.lower(),
        "startswith": lambda: have.startswith(value),
    }[op]()


class Thing(types.SimpleNamespace):
    pass


def things():
    staff, admins = Thing(name="staff", is_superuser=False), Thing(name="admins", is_superuser=True)
    joe = Thing(
        id=7, pk=7, username="joe", name="Joe Doe", email="joe@example.com", is_active=True, is_authenticated=True,
        is_superuser=True, path="users", attributes={"settings": {"locale": "de"}, "level": 3}, devices=["totp"],
    )
    joe.groups = joe.ak_groups = Manager([admins, staff])
    joe.all_groups = lambda: joe.groups
    visitor = Thing(id=None, pk=None, username="", name="", email="", is_authenticated=False, is_superuser=False, attributes={}, devices=[])
    visitor.groups = visitor.ak_groups = Manager()
    visitor.all_groups = lambda: visitor.groups
    ann = Thing(id=8, pk=8, username="ann", name="", email="", devices=[], groups=Manager(), is_superuser=False)
    pending = Thing(**vars(joe), backend="internal")
    plan = Thing(flow_pk="33333333-3333-4333-8333-333333333333", redirect=lambda to: False)
    plan.context = {
        "pending_user": pending, "auth_method": "password", "is_sso": False, "tags": ["x"],
        "prompt_data": {"email": "new@example.com", "attributes": {"a": 1}}, "application": Thing(name="app"),
    }
    http = Thing(
        method="GET", path="/if/flow/x/", GET={"next": "/b"}, COOKIES={"lang": "de"}, headers={"User-Agent": "curl"},
        META={"REMOTE_ADDR": "10.1.2.3", "HTTP_USER_AGENT": "curl"}, get_host=lambda: "id.example.com", is_secure=lambda: True,
    )
    context = dict(plan.context, flow_plan=plan)
    request = Thing(user=visitor, http_request=http, context=context, debug=False, obj=Thing(name="password"))
    messages = []
    variables = dict(
        request=request, context=context, http_request=http, ak_client_ip=ipaddress.ip_address("10.1.2.3"), ak_is_sso_flow=False,
        ak_message=lambda text: messages.append(str(text)),
    )
    people = Manager([joe, ann])

    def user_by(**fields):
        try:
            return people.filter(**fields).first()
        except AttributeError:
            return None

    helpers = dict(
        regex_match=lambda value, regex: bool(re.search(regex, value)),
        regex_replace=lambda value, regex, repl: re.sub(regex, repl, value),
        list_flatten=lambda value: (value[0] if value else None) if isinstance(value, list) else value,
        ak_is_group_member=lambda user, **fields: user.groups.filter(**fields).exists(),
        ak_user_by=user_by,
        ak_user_has_authenticator=lambda user, kind=None: any(kind in (None, d) for d in user.devices),
        ak_create_event=lambda action, **fields: None,
        ak_call_policy=lambda name, **kw: Thing(passing=True, messages=["from other"], raw_result=5),
        ak_logger=Thing(**{level: lambda text, *a, **kw: None for level in ("debug", "info", "warning", "error")}),
        ip_address=ipaddress.ip_address, ip_network=ipaddress.ip_network,
    )
    return variables, helpers, messages


results = []
for body in json.load(sys.stdin):
    variables, names, messages = things()
    try:
        params = ", ".join(variables)
        source = f"def handler({params}):\n" + textwrap.indent(body, "    ") + "\n"
        exec(compile(source, "body", "exec"), names)
        out = repr(names["handler"](**variables))
    except BaseException as exc:
        text = str(exc)
        out = "raises " + type(exc).__name__ + (": " + text if text else "")
        messages = []
    results.append("\n".join([out] + ["message: " + m for m in messages]))
json.dump(results, sys.stdout)
