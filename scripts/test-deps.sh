#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: a PostgreSQL server,
# Chromium, curl and jq for the recipes of docs/api.md, and the npm packages of the
# tests: the official API client and axe, which checks accessibility. For Debian;
# does nothing where all of it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v chromium >/dev/null 2>&1 || missing+=(chromium)
command -v node >/dev/null 2>&1 || missing+=(nodejs npm)
command -v curl >/dev/null 2>&1 || missing+=(curl)
command -v jq >/dev/null 2>&1 || missing+=(jq)
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install ${missing[*]}; this script only knows how to on Debian." >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
fi

# Installed anew when the list changes.
stamp=e2e/client/node_modules/.installed
if [ ! -e "$stamp" ] || [ e2e/client/package-lock.json -nt "$stamp" ]; then
  npm ci --prefix e2e/client --no-audit --no-fund --loglevel=error
  touch "$stamp"
fi
