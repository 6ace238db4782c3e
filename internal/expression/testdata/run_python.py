# Runs the bodies of a JSON list on standard input and prints their results:
# the repr of the value, or "raises Class: text".
import json
import sys
import textwrap

results = []
for body in json.load(sys.stdin):
    names = {}
    try:
        source = "def handler():\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\n"
        exec(compile(source, "body", "exec"), names)
        results.append(repr(names["handler"]()))
    except BaseException as exc:
        text = str(exc)
        results.append("raises " + type(exc).__name__ + (": " + text if text else ""))
json.dump(results, sys.stdout)
