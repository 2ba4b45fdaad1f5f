#!/usr/bin/env bash
# Makes sure that a Docker engine answers; never touches one that runs.
#
# Usage: docker/engine.sh
#
# As root on Debian or Ubuntu a missing engine is installed and started, after printing what
# will be done. Anywhere else the script stops and prints the command to run.
set -euo pipefail

readonly PACKAGES=(docker.io containerd runc iptables)
readonly LOG="${STRATLAB_ENGINE_LOG:-/var/log/stratlab-dockerd.log}"
readonly START_SECONDS=60

say() { echo "engine: $*"; }
fail() { echo "engine: $*" >&2; exit 1; }
answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

is_debian() { [[ -r /etc/os-release ]] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

install_engine() {
  say "no engine is installed. As root on Debian/Ubuntu, this will now run:"
  say "  apt-get install --no-install-recommends ${PACKAGES[*]}"
  # The package would start the service by itself; whether one can run is decided below.
  DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${PACKAGES[@]}" >/dev/null
}

# Waits for the engine; 1 when it does not answer in time.
wait_for_engine() {
  local deadline=$((SECONDS + START_SECONDS))
  until answers >/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    say "starting the service: systemctl start docker"
    if systemctl start docker && wait_for_engine; then
      return
    fi
    fail "the service did not start. Look at: systemctl status docker"
  fi
  say "no service manager runs here: starting dockerd in the background, log in $LOG"
  # The engine outlives this script and its terminal.
  setsid nohup dockerd >>"$LOG" 2>&1 </dev/null &
  wait_for_engine || {
    tail -n 20 "$LOG" >&2
    fail "dockerd did not answer within ${START_SECONDS} s (its last lines are above)"
  }
}

if version="$(answers)"; then
  say "Docker engine $version answers"
  exit 0
fi
if pidof dockerd >/dev/null 2>&1; then
  fail "a Docker engine runs but does not answer this user. Run: sudo usermod -aG docker $(id -un), then log in again"
fi
if [[ "$(id -u)" != 0 ]]; then
  if is_debian; then
    fail "no Docker engine answers. Run: sudo $0"
  fi
  fail "no Docker engine answers. Install and start one (https://docs.docker.com/engine/install), then run this again"
fi
is_debian || fail "no Docker engine answers. Install and start one (https://docs.docker.com/engine/install), then run this again"
command -v dockerd >/dev/null || install_engine
start_engine
say "Docker engine $(answers) answers"
