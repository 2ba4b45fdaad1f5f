# Sourced by the scripts that build images: the host's Python, and pinned wheels fetched with it.
# Expects ROOT, say and fail.

# Sets PYTHON to a Python 3.11 with pip, or fails.
find_python() {
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
}

# Prints the version of this project.
project_version() {
  "$PYTHON" -c '
import pathlib, sys, tomllib
print(tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["project"]["version"])
' "$ROOT/pyproject.toml"
}

# Sets WHEELS to a directory with the wheels of requirements file $1, kept in cache directory $2.
fetch_wheels() {
  local requirements="$1" cache="$2"
  WHEELS="$cache/$(sha256sum "$requirements" | cut -c1-16)"
  if [[ ! -f "$WHEELS/.complete" ]]; then
    say "fetching the pinned wheels into $WHEELS"
    rm -rf "$cache"
    mkdir -p "$WHEELS"
    # NO_SQLITE: peewee comes as source only and would else compile against the host's SQLite.
    NO_SQLITE=1 "$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-deps \
      --require-hashes --wheel-dir "$WHEELS" --requirement "$requirements" \
      >"$cache.log" 2>&1 ||
      { tail -n 20 "$cache.log" >&2; fail "fetching failed (its last lines are above)"; }
    touch "$WHEELS/.complete"
  fi
}

# Copies the host's pip into directory $1, for a build stage without network.
copy_pip() {
  cp -r "$("$PYTHON" -c 'import pathlib, pip; print(pathlib.Path(pip.__file__).parent)')" "$1/pip"
}

# Makes equal inputs look equal to the build cache: no byte code, one date.
normalise() {
  find "$1" -name '__pycache__' -prune -exec rm -rf {} +
  find "$1" -exec touch -h -d '2020-01-01T00:00:00Z' {} +
}
