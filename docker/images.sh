#!/usr/bin/env bash
# Builds the platform's image and those of the runtimes; `make images` calls it.
#
#   docker/images.sh [RUNTIME …]     default, tf1, tf1.5, keras2, torch1; none: the platform alone
#
#   CUDA=1         the runtimes for machines with NVIDIA GPUs, as NAME-cuda
#   PREFIX, TAG    how they are called (nsmlctl/, latest); the workers look for NSML_IMAGE_PREFIX
#   BUILD          the command (docker build), where it needs words of your own: BUILD="docker build --network host"
set -euo pipefail
cd "$(dirname "$0")/.."
PREFIX=${PREFIX-nsmlctl/} TAG=${TAG:-latest}
read -ra BUILD <<<"${BUILD:-docker build}"
WHEELS=https://download.pytorch.org/whl

build() {
    local name=$1 file=$2 context=$3
    shift 3
    echo "== $PREFIX$name:$TAG"
    "${BUILD[@]}" "$@" -t "$PREFIX$name:$TAG" -f "docker/$file.Dockerfile" "$context"
}

# Which file a runtime is built from and with which arguments, one on each line.
describe() {
    local tf_gpu=tensorflow/tensorflow:1.15.0-gpu-py3
    case $1${CUDA:+-cuda} in
        default) echo runtime-default ;;
        tf1) echo runtime-tf1 ;;
        tf1.5) printf '%s\n' runtime-tf1 TENSORFLOW=tensorflow==1.5.0 ;;
        keras2) echo runtime-keras2 ;;
        torch1) echo runtime-torch1 ;;
        default-cuda) printf '%s\n' runtime-default TORCH=torch TORCH_INDEX= 'TENSORFLOW=tensorflow[and-cuda]' ;;
        tf1-cuda) printf '%s\n' runtime-tf1 "BASE=$tf_gpu" TENSORFLOW= ;;
        tf1.5-cuda) printf '%s\n' runtime-tf1 BASE=tensorflow/tensorflow:1.5.0-gpu-py3 TENSORFLOW= ;;
        keras2-cuda) printf '%s\n' runtime-keras2 "BASE=$tf_gpu" TENSORFLOW= ;;
        torch1-cuda) printf '%s\n' runtime-torch1 TORCH=torch==1.10.2+cu113 "TORCH_INDEX=$WHEELS/cu113" ;;
        *) echo "There is no runtime $1; there are default, tf1, tf1.5, keras2 and torch1." >&2; return 1 ;;
    esac
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
