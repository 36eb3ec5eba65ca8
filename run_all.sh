#!/usr/bin/env bash
# Regenerate the report (no argument), or: test, lab, ui, help, --quick, --only NAME ... (see ./run_all.sh help).
# Finds or makes the environment, then hands over to python -m attrition.run.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
venv="${ATTRITION_VENV:-$here/.venv}"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONUTF8=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
fail() { echo "run_all.sh: $*" >&2; exit 4; }
check="$here/lib/attrition/environment.py"
find_python() {
  for candidate in "${PYTHON:-python3.11}" python3.11 python3.12 python3.13 python3; do
    "$candidate" -c 'import sys; sys.exit(not (3, 11, 5) <= sys.version_info < (3, 14))' 2>/dev/null \
      && { command -v "$candidate"; return; }
  done
  fail "no Python from 3.11.5 up to 3.13 found; install one, or name it with PYTHON=..."
}
make_environment() {
  echo "setting up $venv (once, about a minute and 1.6 GB)" >&2
  [ -x "$venv/bin/python" ] || "$(find_python)" -m venv "$venv" || fail "cannot make $venv"
  sed -n '/^uv==/,/[^\\]$/p' "$here/requirements.lock" > "$venv/uv.lock"
  "$venv/bin/python" -m uv --version >/dev/null 2>&1 \
    || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.lock" \
    || fail "cannot install uv; is a package registry reachable?"
  "$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" --require-hashes --compile-bytecode -r "$here/requirements.lock" \
    || fail "cannot install the packages of requirements.lock"
  cp "$here/requirements.lock" "$venv/requirements.lock"
}
active="${VIRTUAL_ENV:-${CONDA_PREFIX:-}}"
if [[ " $* " == *" --check "* ]]; then # says what is wrong; installs nothing
  for place in "${active:-$venv}" "$venv"; do [ -x "$place/bin/python" ] && exec "$place/bin/python" "$check" "$@"; done
  python="$(find_python)" && exec "$python" "$check" "$@"
fi
if [ -n "$active" ] && "$active/bin/python" "$check" 2>/dev/null; then python="$active/bin/python"; else
  cmp -s "$here/requirements.lock" "$venv/requirements.lock" || make_environment
  python="$venv/bin/python"
fi
"$python" -c "import attrition, os, sys; sys.exit(not os.path.samefile(attrition.__path__[0], sys.argv[1]))" \
  "$here/lib/attrition" 2>/dev/null || "$python" -m uv pip install --quiet --python "$python" --offline --no-deps --no-build-isolation -e "$here"
exec "$python" -m attrition.run "$@"
