#!/usr/bin/env bash
# Makes the base image of the sandbox, stratlab-base:bookworm; does nothing when it is present.
#
# Usage: docker/base-image.sh
#
# First choice is the official image python:3.11-slim-bookworm. Its digest is written to
# .cache/base-image.lock at the first pull; a later pull with another digest stops the script.
# Where no registry answers, the same Debian release is built with debootstrap (as root).
set -euo pipefail

readonly TAG="stratlab-base:bookworm"
readonly UPSTREAM="python:3.11-slim-bookworm"
readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly LOCK="$ROOT/.cache/base-image.lock"
readonly PULL_SECONDS="${STRATLAB_PULL_SECONDS:-180}"

say() { echo "base-image: $*"; }
fail() { echo "base-image: $*" >&2; exit 1; }

pull() {
  say "pulling $UPSTREAM (at most $PULL_SECONDS seconds)"
  timeout "$PULL_SECONDS" docker pull --quiet "$UPSTREAM" >/dev/null 2>&1 || return 1
  local digest
  digest="$(docker image inspect --format '{{index .RepoDigests 0}}' "$UPSTREAM")"
  if [[ -f "$LOCK" && "$(cat "$LOCK")" != "$digest" ]]; then
    fail "the digest of $UPSTREAM changed: locked $(cat "$LOCK"), pulled $digest." \
      "If you trust the new one, delete $LOCK and run this again."
  fi
  mkdir -p "$(dirname "$LOCK")"
  echo "$digest" >"$LOCK"
  docker tag "$UPSTREAM" "$TAG"
  say "made $TAG from $digest (locked in $LOCK)"
}

bootstrap() {
  [[ "$(id -u)" == 0 ]] || fail "no registry answers and debootstrap needs root. Run: sudo $0"
  if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null ||
      fail "no registry answers and debootstrap is missing. Install it and run this again."
    say "installing debootstrap: apt-get install --no-install-recommends debootstrap debian-archive-keyring"
    DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      debootstrap debian-archive-keyring >/dev/null
  fi
  local scratch
  scratch="$(mktemp -d)"
  # shellcheck disable=SC2064 # the directory is known now
  trap "rm -rf '$scratch'" EXIT
  say "no registry answers: building Debian bookworm with Python 3.11 by debootstrap (about a minute)"
  debootstrap --variant=minbase --include=python3 bookworm "$scratch/root" \
    >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" >&2; fail "debootstrap failed (its last lines are above)"; }
  rm -rf "$scratch/root/var/cache/apt/"* "$scratch/root/var/lib/apt/lists/"*
  tar -C "$scratch/root" --numeric-owner -c . | docker import - "$TAG" >/dev/null
  say "made $TAG by debootstrap"
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
  fail "no Docker engine answers. Run: docker/engine.sh"
if docker image inspect "$TAG" >/dev/null 2>&1; then
  say "$TAG is present"
  exit 0
fi
pull || bootstrap
