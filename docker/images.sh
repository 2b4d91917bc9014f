#!/usr/bin/env bash
# Builds the platform's image and those of the runtimes; `make images` calls it.
#
#   docker/images.sh [RUNTIME …]     default, tf1, tf1.5, keras2, torch1, torch1.1; none: the platform alone
#
#   CUDA=1         the runtimes for machines with NVIDIA GPUs, as NAME-cuda (there is no tf1.5-cuda)
#   PREFIX, TAG    how they are called (nsmlctl/, latest); the workers look for NSML_IMAGE_PREFIX
#   BUILD          the command (docker build), where it needs words of your own: BUILD="docker build --network host"
set -euo pipefail
cd "$(dirname "$0")/.."
PREFIX=${PREFIX-nsmlctl/} TAG=${TAG:-latest}
read -ra BUILD <<<"${BUILD:-docker build}"

build() {
    local name=$1 file=$2 context=$3
    shift 3
    echo "== $PREFIX$name:$TAG"
    "${BUILD[@]}" "$@" -t "$PREFIX$name:$TAG" -f "docker/$file.Dockerfile" "$context"
}

# Which file a runtime is built from and with which arguments, one on each line.
describe() {
    local tf_gpu=tensorflow/tensorflow:1.15.0-gpu-py3 cuda12=https://download.pytorch.org/whl/cu126
    case $1${CUDA:+-cuda} in
        default) echo runtime-default ;;
        # The CUDA that TensorFlow's wheels bring, too: PyTorch's own on PyPI are of the next one, and their libraries clash.
        default-cuda) printf '%s\n' runtime-default "TORCH_INDEX=$cuda12" 'TENSORFLOW=tensorflow[and-cuda]==2.21.*' ;;
        tf1 | tf1.5) printf '%s\n' runtime-tf1 "RUNTIME=$1" "BASE=$(find_base "$1")" ;;
        torch1 | torch1.1 | torch1-cuda | torch1.1-cuda) printf '%s\n' runtime-torch1 "RUNTIME=$1" "BASE=$(find_base "$1")" ;;
        keras2) printf '%s\n' runtime-keras2 "BASE=$(find_base "$1")" ;;
        tf1-cuda | keras2-cuda) printf '%s\n' "runtime-$1" "BASE=$tf_gpu" ;;
        tf1.5-cuda) echo "There is no tf1.5 for GPUs: TensorFlow's own images of then have Python 3.5; choose tf1." >&2; return 1 ;;
        *) echo "There is no runtime $1; there are default, tf1, tf1.5, keras2, torch1 and torch1.1." >&2; return 1 ;;
    esac
}

# The Python that a recipe asks for, on the last Debian that all of them come with.
find_base() {
    sed -n '1s/^# Python \(.*\)/python:\1-slim-bullseye/p' "docker/runtimes/$1.txt"
}

for runtime in "$@"; do describe "$runtime" >/dev/null; done
build platform platform .
for runtime in "$@"; do
    mapfile -t words < <(describe "$runtime")
    arguments=()
    for word in "${words[@]:1}"; do arguments+=(--build-arg "$word"); done
    # What the machine's owner adds comes last and so wins: EXTRA="--build-arg TORCH_INDEX="
    read -ra extra <<<"${EXTRA:-}"
    build "runtime-$runtime${CUDA:+-cuda}" "${words[0]}" docker "${arguments[@]}" "${extra[@]}"
done
