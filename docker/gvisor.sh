#!/usr/bin/env bash
# Makes sure that the Docker engine has the runtime runsc (gVisor); never touches its containers.
#
# Usage: docker/gvisor.sh
#
# As root on Debian or Ubuntu a missing runsc is installed from the distribution, and two runtimes
# are added to the engine's configuration, which it reads again without a restart:
#   runsc        with --oci-seccomp: our seccomp profile also filters inside gVisor
#   runsc-plain  without, for a runsc that cannot load it, and to test what then holds
# Both leave control groups to the controller (--ignore-cgroups): it knows then for certain why a
# member died, and can end one without asking gVisor. Runtimes that are registered already stay as
# they are. Anywhere else the script stops and says what to do.
set -euo pipefail

readonly CONFIG="${STRATLAB_DOCKER_CONFIG:-/etc/docker/daemon.json}"
readonly RELOAD_SECONDS=20

say() { echo "gvisor: $*"; }
fail() { echo "gvisor: $*" >&2; exit 1; }
registered() { timeout 10 docker info --format '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}' 2>/dev/null; }
has_both() { [[ " $(registered) " == *" runsc "* && " $(registered) " == *" runsc-plain "* ]]; }
is_debian() { [[ -r /etc/os-release ]] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

install_runsc() {
  is_debian || fail "runsc is missing. Install it (https://gvisor.dev/docs/user_guide/install), then run this again"
  say "runsc is missing. This will now run: apt-get install --no-install-recommends runsc"
  DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends runsc >/dev/null
}

# Adds what is missing to the configuration and leaves everything else in it as it is.
configure() {
  say "adding the runtimes runsc and runsc-plain to $CONFIG"
  python3 - "$CONFIG" "$(command -v runsc)" <<'PYTHON'
import json, os, pathlib, sys

path, runsc = pathlib.Path(sys.argv[1]), sys.argv[2]
config = json.loads(path.read_text() or "{}") if path.exists() else {}
plain = ["--platform=ptrace", "--network=none", "--host-uds=open", "--ignore-cgroups"]
runtimes = config.setdefault("runtimes", {})
runtimes.setdefault("runsc", {"path": runsc, "runtimeArgs": [*plain, "--oci-seccomp"]})
runtimes.setdefault("runsc-plain", {"path": runsc, "runtimeArgs": plain})
path.parent.mkdir(parents=True, exist_ok=True)
draft = path.with_suffix(".stratlab")
draft.write_text(json.dumps(config, indent=2) + "\n")
os.replace(draft, path)
PYTHON
}

# The engine reads its runtimes again on SIGHUP; containers that run are not touched.
reload_engine() {
  local engine
  engine="$(pidof dockerd)" || fail "the engine is not a dockerd of this host: add the runtimes to its configuration by hand"
  say "asking the engine to read its configuration again"
  kill -HUP "$engine"
  local deadline=$((SECONDS + RELOAD_SECONDS))
  until has_both; do
    ((SECONDS < deadline)) || fail "the engine does not list the runtimes; look at its log"
    sleep 0.2
  done
}

[[ -n "$(registered)" ]] || fail "no Docker engine answers. Run: docker/engine.sh"
if has_both; then
  say "the engine has the runtimes runsc and runsc-plain"
  exit 0
fi
[[ "$(id -u)" == 0 ]] || fail "the engine has no runtime runsc. Run: sudo $0"
command -v runsc >/dev/null || install_runsc
configure
reload_engine
say "the engine has the runtimes runsc and runsc-plain ($(runsc --version | head -n 1))"
