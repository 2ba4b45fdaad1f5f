#!/usr/bin/env bash
# Builds the controller image stratlab-controller:<version>; does nothing when it is current.
#
# Usage: docker/controller-image.sh
#
# The wheels of requirements/controller.txt are fetched on the host, with their hashes checked,
# into .cache/controller-wheels, and stratlab's own wheel is built there; the image build itself
# has no network. The image carries a hash of everything it was made from: the same hash, no build.
set -euo pipefail

readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly BASE="stratlab-base:bookworm"
readonly CACHE="$ROOT/.cache"
readonly LABEL="org.stratlab.controller.inputs"
readonly REQUIREMENTS="$ROOT/requirements/controller.txt"

say() { echo "controller-image: $*"; }
fail() { echo "controller-image: $*" >&2; exit 1; }

# shellcheck source=docker/wheels.sh
source "$ROOT/docker/wheels.sh"
find_python
"$PYTHON" -c 'import hatchling' 2>/dev/null || fail "$PYTHON has no hatchling. Run: make setup"
readonly TAG="stratlab-controller:$(project_version)"

"$ROOT/docker/base-image.sh"
base_id="$(docker image inspect --format '{{.Id}}' "$BASE")"

# Everything the image is made from, in a fixed order.
inputs() {
  cd "$ROOT"
  find controller exporters proto/gen sandbox_image/stratlab_runner pyproject.toml LICENSE \
    README.md requirements/controller.txt docker/controller.Dockerfile \
    -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  echo "$base_id"
}
inputs_hash="$(inputs | sha256sum | cut -d' ' -f1)"
if [[ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$TAG" 2>/dev/null)" == "$inputs_hash" ]]; then
  say "$TAG is current"
  exit 0
fi

fetch_wheels "$REQUIREMENTS" "$CACHE/controller-wheels"

say "building $TAG without network"
mkdir -p "$CACHE"
context="$(mktemp -d "$CACHE/controller-context.XXXXXX")"
trap 'rm -rf "$context"' EXIT
cp "$ROOT/docker/controller.Dockerfile" "$context/Dockerfile"
mkdir "$context/wheels" "$context/stratlab"
cp "$WHEELS"/*.whl "$context/wheels/"
copy_pip "$context"
# A fixed date makes the same sources the same wheel.
SOURCE_DATE_EPOCH=1577836800 "$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-deps \
  --no-build-isolation --wheel-dir "$context/stratlab" "$ROOT" >"$CACHE/controller-wheel.log" 2>&1 ||
  { tail -n 20 "$CACHE/controller-wheel.log" >&2; fail "building the wheel failed (see above)"; }
normalise "$context"

docker build --quiet --network=none --build-arg "BASE=$BASE" --label "$LABEL=$inputs_hash" \
  --tag "$TAG" "$context" >"$CACHE/controller-build.log" 2>&1 ||
  { tail -n 30 "$CACHE/controller-build.log" >&2; fail "the build failed (its last lines are above)"; }
say "made $TAG ($(docker image inspect --format '{{.Id}}' "$TAG"), $(docker image inspect --format '{{.Size}}' "$TAG" | awk '{printf "%.0f MB", $1/1e6}'))"
