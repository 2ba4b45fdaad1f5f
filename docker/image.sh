#!/usr/bin/env bash
# Builds the sandbox image stratlab-sandbox:<version>; does nothing when it is current.
#
# Usage: docker/image.sh
#
# The wheels of sandbox_image/requirements.txt are fetched on the host, by pip with its own
# configuration and with their hashes checked, into .cache/wheels; the build itself has no
# network. The image carries a hash of everything it was made from: the same hash, no build.
set -euo pipefail

readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly BASE="stratlab-base:bookworm"
readonly CACHE="$ROOT/.cache"
readonly LABEL="org.stratlab.inputs"
readonly REQUIREMENTS="$ROOT/sandbox_image/requirements.txt"

say() { echo "image: $*"; }
fail() { echo "image: $*" >&2; exit 1; }

PYTHON="${PYTHON:-}"
if [[ -z "$PYTHON" ]]; then
  PYTHON="$ROOT/.venv/bin/python"
  [[ -x "$PYTHON" ]] || PYTHON="$(command -v python3.11 || true)"
fi
[[ -n "$PYTHON" ]] || fail "Python 3.11 is needed. Install it, or set PYTHON."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  fail "$PYTHON is not Python 3.11; the wheels must fit the image's interpreter."
"$PYTHON" -m pip --version >/dev/null 2>&1 ||
  fail "$PYTHON has no pip. Run: make setup"

version="$("$PYTHON" -c '
import pathlib, sys, tomllib
print(tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["project"]["version"])
' "$ROOT/pyproject.toml")"
readonly TAG="stratlab-sandbox:$version"

"$ROOT/docker/base-image.sh"
base_id="$(docker image inspect --format '{{.Id}}' "$BASE")"

# Everything the image is made from, in a fixed order.
inputs() {
  cd "$ROOT"
  find sandbox_image proto/gen/stratlab_proto/__init__.py proto/gen/stratlab_proto/runner \
    -type f \( -name '*.py' -o -name 'Dockerfile' -o -name 'requirements.txt' \) -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
  echo "$base_id"
}
inputs_hash="$(inputs | sha256sum | cut -d' ' -f1)"
if [[ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$TAG" 2>/dev/null)" == "$inputs_hash" ]]; then
  say "$TAG is current"
  exit 0
fi

wheels="$CACHE/wheels/$(sha256sum "$REQUIREMENTS" | cut -c1-16)"
if [[ ! -f "$wheels/.complete" ]]; then
  say "fetching the pinned wheels into $wheels"
  rm -rf "$CACHE/wheels"
  mkdir -p "$wheels"
  # NO_SQLITE: peewee comes as source only and would else compile against the host's SQLite.
  NO_SQLITE=1 "$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-deps \
    --require-hashes --wheel-dir "$wheels" --requirement "$REQUIREMENTS" \
    >"$CACHE/wheels.log" 2>&1 ||
    { tail -n 20 "$CACHE/wheels.log" >&2; fail "fetching failed (its last lines are above)"; }
  touch "$wheels/.complete"
fi

say "building $TAG without network"
context="$CACHE/image-context"
rm -rf "$context"
mkdir -p "$context"
trap 'rm -rf "$context"' EXIT
cp "$ROOT/sandbox_image/Dockerfile" "$ROOT/sandbox_image/assemble.py" "$context/"
mkdir "$context/wheels"
cp "$wheels"/*.whl "$context/wheels/"
pip_package="$("$PYTHON" -c 'import pathlib, pip; print(pathlib.Path(pip.__file__).parent)')"
cp -r "$pip_package" "$context/pip"
mkdir "$context/stratlab_proto"
cp "$ROOT/proto/gen/stratlab_proto/__init__.py" "$context/stratlab_proto/"
cp -r "$ROOT/proto/gen/stratlab_proto/runner" "$context/stratlab_proto/runner"
cp -r "$ROOT/sandbox_image/stratlab_runner" "$context/stratlab_runner"
find "$context" -name '__pycache__' -prune -exec rm -rf {} +
# Dates would make equal inputs look different to the build cache.
find "$context" -exec touch -h -d '2020-01-01T00:00:00Z' {} +

docker build --quiet --network=none --build-arg "BASE=$BASE" --label "$LABEL=$inputs_hash" \
  --tag "$TAG" "$context" >"$CACHE/image-build.log" 2>&1 ||
  { tail -n 30 "$CACHE/image-build.log" >&2; fail "the build failed (its last lines are above)"; }
say "made $TAG ($(docker image inspect --format '{{.Id}}' "$TAG"), $(docker image inspect --format '{{.Size}}' "$TAG" | awk '{printf "%.0f MB", $1/1e6}'))"
