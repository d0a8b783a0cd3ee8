#!/bin/sh
# What the tests need from Debian beside Python; with `real`, also the servers and phones of tests/real; with `systemd`,
# machines to boot; with `deb`, what builds the package. As root what is missing is installed; others are told.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
package() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q ' installed$' || missing="$missing $1"; }
header() { [ -e "/usr/include/$1" ] || missing="$missing $2"; }
is_there() { LC_ALL=C apt-cache policy "$1" | grep -q 'Candidate: [^(]'; }
displaces() { LC_ALL=C apt-get --quiet --simulate install --no-install-recommends "$1" | grep -q '^Remv '; }
installs() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
if [ "${1:-}" != deb ]; then
    need systemd-analyze systemd
    need unshare util-linux
    need man man-db
    need zsh zsh
    need fish fish
fi
case "${1:-}" in deb | systemd)
    for each in build-essential $(sed -n '/^Build-Depends:/,/^[^ ]/s/^ \([a-z0-9-]*\).*/\1/p' systemd/debian/control); do
        case "$each" in debhelper-compat) package debhelper ;; *) package "$each" ;; esac
    done ;;
esac
if [ "${1:-}" = systemd ]; then
    need systemd-nspawn systemd-container
    need mmdebstrap mmdebstrap
    need lintian lintian
    need btrfs btrfs-progs
fi
if [ "${1:-}" = real ]; then
    need mmdebstrap mmdebstrap
    need ip iproute2
    need nft nftables
    need turnserver coturn
    need linphonec linphone-cli
    need linphone linphone-desktop
    need baresip baresip-core
    need twinkle-console twinkle-console
    need chromium chromium
    need certutil libnss3-tools
    need kamailio kamailio
    need pulseaudio pulseaudio
    need dbus-daemon dbus-daemon
    [ -e /usr/share/alsa/alsa.conf.d/50-pulseaudio.conf ] || missing="$missing libasound2-plugins"
    need npm npm
    need xz xz-utils
    need gcc gcc
    need g++ g++
    need make make
    header stdio.h libc6-dev
    header openssl/ssl.h libssl-dev
    header srtp2/srtp.h libsrtp2-dev
    header speex/speex.h libspeex-dev
    header speex/speex_resampler.h libspeexdsp-dev
    header gsm.h libgsm1-dev
fi
if [ -n "$missing" ] && installs; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    there=""
    for each in $missing; do
        # Debian 13 has no linphone-desktop.
        if ! is_there "$each"; then
            echo "this Debian has no $each" >&2
        elif displaces "$each"; then # as PulseAudio does PipeWire's client for ALSA
            echo "$each would remove packages from this machine: the tests that need it are skipped" >&2
        else
            there="$there $each"
        fi
    done
    # Tests start servers of their own; Debian's would serve whoever reaches this machine, from now on at every boot.
    mkdir -p /etc/systemd/system
    for each in kamailio coturn; do
        case "$there " in *" $each "*) ln -sf /dev/null "/etc/systemd/system/$each.service" ;; esac
    done
    # shellcheck disable=SC2086 # a list of names
    [ -z "$there" ] || apt-get -qq install -y --no-remove --no-install-recommends $there >/dev/null
elif [ -n "$missing" ] && [ "${1:-}" = deb ]; then
    echo "what builds the package is missing (root installs it by \`make deb\` on Debian):$missing" >&2
    exit 1
elif [ -n "$missing" ]; then
    echo "these are missing, and tests that need them are skipped (root installs them by \`make test\` on Debian):$missing" >&2
fi
# Asterisk 16, from Debian 11, pjsua and the phones for browsers: once, outside the tree.
if [ "${1:-}" = real ] && installs; then
    python3 -m tests.real.debian11
    python3 -m tests.real.pjproject
    if command -v npm >/dev/null; then
        python3 -m tests.real.scripts
    fi
fi
if [ "${1:-}" = systemd ] && installs; then
    python3 -m tests.systemd.roots
fi
