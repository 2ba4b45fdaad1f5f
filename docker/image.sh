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
readonly STAGE_OF="org.stratlab.stage-of"
readonly STAGE_INPUTS="org.stratlab.stage-inputs"
readonly REQUIREMENTS="$ROOT/sandbox_image/requirements.txt"

say() { echo "image: $*"; }
fail() { echo "image: $*" >&2; exit 1; }

# shellcheck source=docker/wheels.sh
source "$ROOT/docker/wheels.sh"
find_python
version="$(project_version)"
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

fetch_wheels "$REQUIREMENTS" "$CACHE/wheels"

say "building $TAG without network"
context="$CACHE/image-context"
rm -rf "$context"
mkdir -p "$context"
trap 'rm -rf "$context"' EXIT
cp "$ROOT/sandbox_image/Dockerfile" "$ROOT/sandbox_image/assemble.py" "$context/"
mkdir "$context/wheels"
cp "$WHEELS"/*.whl "$context/wheels/"
copy_pip "$context"
mkdir "$context/stratlab_proto"
cp "$ROOT/proto/gen/stratlab_proto/__init__.py" "$context/stratlab_proto/"
cp -r "$ROOT/proto/gen/stratlab_proto/runner" "$context/stratlab_proto/runner"
cp -r "$ROOT/sandbox_image/stratlab_runner" "$context/stratlab_runner"
normalise "$context"

docker build --quiet --network=none --build-arg "BASE=$BASE" --build-arg "STAGE_OF=$TAG" \
  --build-arg "INPUTS=$inputs_hash" --label "$LABEL=$inputs_hash" \
  --tag "$TAG" "$context" >"$CACHE/image-build.log" 2>&1 ||
  { tail -n 30 "$CACHE/image-build.log" >&2; fail "the build failed (its last lines are above)"; }
say "made $TAG ($(docker image inspect --format '{{.Id}}' "$TAG"), $(docker image inspect --format '{{.Size}}' "$TAG" | awk '{printf "%.0f MB", $1/1e6}'))"

# The build stages of earlier builds of this tag: untagged images of a gigabyte each that nothing
# starts. Those of this build stay, they are its cache; so does an untagged sandbox image, which a
# running controller may have resolved.
docker image ls --quiet --no-trunc --filter dangling=true --filter "label=$STAGE_OF=$TAG" |
  sort --unique | while read -r stage; do
  made_from="$(docker image inspect --format "{{index .Config.Labels \"$STAGE_INPUTS\"}}" "$stage" 2>/dev/null)" || continue
  [[ "$made_from" != "$inputs_hash" ]] || continue
  # An image that a container uses is refused, and found again after the next build.
  if docker image rm "$stage" >/dev/null 2>&1; then say "removed the superseded stage $stage"; fi
done
