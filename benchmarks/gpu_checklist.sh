#!/bin/bash
# What there is to do once on a machine with a CUDA device: tests, timings, and the rows for docs/engine.md.
#
#   benchmarks/gpu_checklist.sh [FOLDER]
#
# From a checkout whose environment has the dependencies of developers. `PYTHON` names its interpreter (.venv/bin/python),
# `PEER_PYTHON` one that has benchmarks/requirements.txt too (.venv-bench/bin/python, made by `make bench`); without it
# enformer-pytorch is left out. Golden variants and sequence are found as tests find them. Takes some 20 minutes on an
# H100. Everything is kept in FOLDER (gpu-results); nothing is overwritten: a second run needs another folder.
set -euo pipefail

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    # the comment above is the help
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 0
fi

cd "$(dirname "$0")/.."
folder=${1:-gpu-results}
python=${PYTHON:-.venv/bin/python}
peer=${PEER_PYTHON:-.venv-bench/bin/python}

if ! command -v "$python" >/dev/null; then
    echo "there is no $python: make the environment (make test), or name one: PYTHON=python3 $0" >&2
    exit 2
fi
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "torch sees no CUDA device here: run this on a GPU machine (nvidia-smi shows what there is)" >&2
    exit 2
fi
if ! command -v cc >/dev/null && ! command -v gcc >/dev/null; then
    echo "there is no C compiler, which Triton needs: apt-get install gcc libc6-dev" >&2
    exit 2
fi
if [[ -e $folder ]]; then
    echo "$folder is there already: name another folder" >&2
    exit 2
fi
mkdir -p "$folder"
export PYTHONPATH=$PWD

# each step says how it ended, and the next one is taken all the same
failed=()
step() {
    local name=$1
    shift
    echo "== $name: $*"
    if "$@" >"$folder/$name.log" 2>&1; then
        tail -n 3 "$folder/$name.log"
    else
        failed+=("$name")
        tail -n 20 "$folder/$name.log"
    fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv >"$folder/device.csv" || true
step tests "$python" -m pytest -m gpu -q -p no:cacheprovider
step attention "$python" -m benchmarks.fused_attention --json "$folder/fused_attention.json"
beside=(--without-peer)
if [[ -x $peer ]]; then
    python=$peer
    beside=(--compile-peer)
fi
step engine "$python" -m benchmarks.engine --device cuda --rounds 3 --without-memory "${beside[@]}" \
    --json "$folder/engine.json"
step table "$python" -m benchmarks.gpu_goals "$folder/engine.json"

cat "$folder/table.log"
if ((${#failed[@]})); then
    echo "failed: ${failed[*]} (see $folder/*.log)" >&2
    exit 1
fi
echo "all done; keep $folder, and put the rows above into docs/engine.md"
