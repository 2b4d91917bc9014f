#!/usr/bin/env bash
# Makes the passwords that docker-compose.yml hands to its services, in ./secrets or the folder given; keeps those that are there.
set -euo pipefail
FOLDER=${1:-$(dirname "$0")/../secrets}
mkdir -p "$FOLDER"
chmod 700 "$FOLDER"
for name in database_password broker_password join_token; do
    [ -s "$FOLDER/$name" ] || od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$FOLDER/$name"
    # Compose hands the files on as they are and the services are no root: the folder is what keeps others out.
    chmod 444 "$FOLDER/$name"
done
