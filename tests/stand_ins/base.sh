#!/usr/bin/env bash
# Makes the image that stands in for `python:3.11-slim-bookworm` where no image registry can be reached: Debian from its
# own packages, with this machine's package sources, pip settings and certificates, so that apt and pip work inside it.
#
#   tests/stand_ins/base.sh NAME:TAG
#
# The tree is kept as a tar under ~/.cache: the first run takes a minute, the next ones two seconds.
set -euo pipefail
NAME=${1:?usage: base.sh NAME:TAG}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/nsmlctl/stand-ins
TAR=$CACHE/bookworm.tar
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

# The mirror that this machine itself uses, in either of apt's two formats.
find_mirror() {
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+) bookworm .*/\2/p' "$@" 2>/dev/null | head -n 1
}

debian_sources() {
    grep -lE 'debian-archive-keyring|debian\.org' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true
}

# What pip is told on this machine, less what names files that the image will not have.
write_pip_settings() {
    local root=$1 name value key
    echo "[global]"
    python3 -m pip config list | tr -d "'" | while IFS='=' read -r name value; do
        key=${name##*.}
        case $key in
            index-url | trusted-host | proxy | timeout | default-timeout) echo "$key = $value" ;;
            cert) echo "cert = $CERTIFICATES" ;;
            find-links)
                [ ! -d "$value" ] || { mkdir -p "$root$value" && cp -a "$value/." "$root$value" && echo "$key = $value"; } ;;
        esac
    done | sort -u
}

make_tree() {
    local root=$1 sources mirror python
    mapfile -t sources < <(debian_sources)
    mirror=$(find_mirror "${sources[@]}")
    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
        bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$CACHE/debootstrap.log" 2>&1 \
        || { tail -n 5 "$CACHE/debootstrap.log" >&2; return 1; }
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list
    mkdir -p "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d"
    [ ${#sources[@]} = 0 ] || cp "${sources[@]}" "$root/etc/apt/sources.list.d/"
    # A list in apt's one-line format is read only under a name that ends in .list.
    [ ! -f "$root/etc/apt/sources.list.d/sources.list" ] || mv "$root/etc/apt/sources.list.d/"{sources,debian}.list
    find /etc/apt/apt.conf.d -name '99*' -type f -exec cp {} "$root/etc/apt/apt.conf.d/" \;
    # As the images of the registries have it: no package file stays behind in a layer.
    echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };' >"$root/etc/apt/apt.conf.d/docker-clean"
    cp "$CERTIFICATES" "$root$CERTIFICATES"
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    for python in python python3; do ln -sf /usr/bin/python3 "$root/usr/local/bin/$python"; done
    write_pip_settings "$root" >"$root/etc/pip.conf"
}

# Two at a time make it once.
mkdir -p "$CACHE"
exec {lock}>"$CACHE/lock"
flock "$lock"
if [ ! -f "$TAR" ]; then
    tree=$(mktemp -d "$CACHE/tree.XXXXXX")
    trap 'rm -rf "$tree"' EXIT
    make_tree "$tree"
    chmod 755 "$tree"
    tar -C "$tree" --one-file-system -cf "$TAR.part" .
    mv "$TAR.part" "$TAR"
fi
exec {lock}>&-
docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENV SSL_CERT_FILE=$CERTIFICATES" --change "ENV PIP_CERT=$CERTIFICATES" \
    --change 'CMD ["python3"]' "$TAR" "$NAME" >/dev/null
