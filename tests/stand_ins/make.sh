#!/usr/bin/env bash
# Puts images on the engine under the names that docker-compose.yml and the Dockerfiles ask for, made from Debian's packages:
# for machines without an image registry. Where a registry can be reached, nobody needs this.
#
#   tests/stand_ins/make.sh [NAME:TAG …]      without names: all that the compose file needs
#
# An image that the engine has already, from wherever, is left as it is.
set -euo pipefail
cd "$(dirname "$0")"
BASE=python:3.11-slim-bookworm
PYTHONS=${PYTHONS:-$HOME/.pyenv/versions}  # of older ones: folders named by their version

build() {
    local image=$1 file=$2 context=$3
    shift 3
    # The classic builder: the newer one asks a registry about every base image.
    DOCKER_BUILDKIT=0 docker build --quiet --network host --build-arg "BASE=$BASE" "$@" -t "$image" -f "$file" "$context" >/dev/null
}

# An interpreter's own tree, with the libraries it was linked against: the system of the image is another one.
copy_python() {
    local version=$1 context=$2 python
    python=$(ls -d "$PYTHONS/$version".* 2>/dev/null | tail -n 1)
    [ -n "$python" ] || { echo "Python $version is needed for this one, in PYTHONS=$PYTHONS." >&2; return 1; }
    mkdir -p "$context/lib"
    cp -a "$python" "$context/python"
    rm -f "$context/python/lib/python$version"/site-packages/*.pth  # what this machine adds to its interpreters
    find "$python" -name '*.so*' -type f -exec ldd {} + 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' \
        | grep -vE "^$python|/(ld-|libc\.|libm\.|libdl\.|libpthread\.|librt\.|libutil\.)" | sort -u \
        | xargs -r cp -Lt "$context/lib"
}

make_image() {
    local image=$1 context version
    case $image in
        "$BASE") ./base.sh "$image" ;;
        python:3.[67]-*)
            version=${image#python:}
            version=${version%%-*}
            context=$(mktemp -d)
            trap 'rm -rf "$context"' RETURN
            copy_python "$version" "$context"
            build "$image" old-python.Dockerfile "$context" --build-arg "VERSION=$version" ;;
        postgres:*) build "$image" postgres.Dockerfile . ;;
        redis:*) build "$image" redis.Dockerfile . ;;
        *) echo "There is no stand-in for $image." >&2; return 1 ;;
    esac
}

[ $# -gt 0 ] || set -- "$BASE" postgres:15-bookworm redis:7-bookworm
for image in "$BASE" "$@"; do
    docker image inspect "$image" >/dev/null 2>&1 && continue
    echo "making a stand-in for $image"
    make_image "$image"
done
