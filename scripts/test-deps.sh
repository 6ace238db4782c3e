#!/bin/sh
# Installs what the tests need, where it is missing: PostgreSQL's programs, a
# Chromium, Node.js and the packages of the official API client. It changes
# nothing on a machine that has them all.
set -eu
cd "$(dirname "$0")/.."

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "The tests need:$missing. Install them and try again." >&2
		exit 1
	fi
	as_root apt-get update
	# No cluster of its own: the tests start one that is thrown away.
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

if [ -f e2e/client/package-lock.json ] && [ ! -d e2e/client/node_modules/@goauthentik/api ]; then
	(cd e2e/client && npm ci --no-audit --no-fund --ignore-scripts)
fi
