#!/bin/sh
# What the tests need from Debian beside Python. As root what is missing is installed; others are told.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need systemd-analyze systemd
need unshare util-linux
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # shellcheck disable=SC2086 # a list of names
    apt-get -qq install -y --no-install-recommends $missing >/dev/null
else
    echo "these packages are missing, and the tests that need them will say so:$missing" >&2
fi
