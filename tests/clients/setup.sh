#!/usr/bin/env bash
# Installs the toolchains of the programs in docs/clients; does nothing when they are there.
#
# Usage: tests/clients/setup.sh
#
# As root on Debian or Ubuntu missing packages are installed, after printing what will be done.
# Anywhere else the script prints what to run; the tests of a missing language are then skipped.
set -euo pipefail

readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly NODE="$ROOT/docs/clients/node"

say() { echo "clients: $*"; }

is_debian() { [[ -r /etc/os-release ]] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

# Prints the Debian packages that are missing, found by what they bring: another way of installing
# the same program is as good.
missing_packages() {
  local program
  for program in g++:g++ jq:jq npm:npm node:nodejs protoc:protobuf-compiler \
    grpc_cpp_plugin:protobuf-compiler-grpc pkg-config:pkg-config ruby:ruby \
    grpc_tools_ruby_protoc:ruby-grpc-tools; do
    command -v "${program%%:*}" >/dev/null || echo "${program##*:}"
  done
  ruby -e 'require "grpc"' 2>/dev/null || echo ruby-grpc
  pkg-config --exists grpc++ 2>/dev/null || echo libgrpc++-dev
  pkg-config --exists protobuf 2>/dev/null || echo libprotobuf-dev
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]})); then
  if is_debian && [[ "$(id -u)" == 0 ]]; then
    say "this will now run: apt-get install --no-install-recommends ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
  elif is_debian; then
    say "tests of other languages are incomplete. Run: sudo apt-get install ${missing[*]}"
  else
    say "tests of other languages are incomplete. Install what Debian calls: ${missing[*]}"
  fi
fi

if command -v npm >/dev/null && ! cmp -s "$NODE/package-lock.json" "$NODE/node_modules/.stratlab-lock"; then
  say "installing the Node packages of docs/clients/node/package-lock.json"
  npm ci --prefix "$NODE" --ignore-scripts --no-audit --no-fund --loglevel=error
  cp "$NODE/package-lock.json" "$NODE/node_modules/.stratlab-lock"
fi
[[ -n "$(missing_packages)" ]] || say "set up"
