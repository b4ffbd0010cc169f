#!/bin/sh
# Build lacemaker._core into src/lacemaker, for work in a checkout without `pip install`.
#   PYTHON=path/to/python tools/build_inplace.sh [extra cmake arguments]
# PYTHON (default python3) must have nanobind, cmake and ninja installed; JOBS sets the number of compilers.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
build=${LACEMAKER_BUILD:-$root/build/inplace}
if ! "$python" -c 'import nanobind' 2>/dev/null; then
    echo "$0: $python has no nanobind; set PYTHON or run: $python -m pip install nanobind cmake ninja" >&2
    exit 1
fi
PATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPython_EXECUTABLE="$python" "$@"
cmake --build "$build" --parallel "${JOBS:-2}"
cmake --install "$build" --prefix "$root/src"
