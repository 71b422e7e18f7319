#!/bin/sh
# What the tests need beyond Python: installed where that is allowed, else named.
set -eu
wanted="mosquitto alsa-utils gcc libc6-dev python3-venv python3-dev
    gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm qemu-utils qemu-user-static
    e2fsprogs kmod cpio mmdebstrap systemd"
# Node may be there from elsewhere, in a version of its own that brings npm.
command -v node >/dev/null || wanted="$wanted nodejs"
command -v npm >/dev/null || wanted="$wanted npm"
command -v chromium >/dev/null || wanted="$wanted chromium"
missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing …"
    # A policy of 101 keeps the packages from starting services of their own (see invoke-rc.d).
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f $policy' EXIT; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "the tests need more packages; run: sudo apt-get install$missing" >&2
    exit 1
fi
