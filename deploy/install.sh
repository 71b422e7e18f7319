#!/bin/sh
# Installs Selvedge from a wheel, for systems without apt: into /opt/selvedge, as a systemd service.
# usage: install.sh [--dry-run] [--wheel FILE] | --uninstall [--purge] [--dry-run]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=/opt/selvedge
units=/etc/systemd/system
dry="" uninstall="" purge="" wheel=""
while [ $# -gt 0 ]; do
    case "$1" in
    --dry-run) dry=1 ;;
    --uninstall) uninstall=1 ;;
    --purge) purge=1 ;;
    --wheel)
        [ $# -ge 2 ] || { echo "install.sh: --wheel needs a file" >&2; exit 2; }
        wheel=$2
        shift
        ;;
    -h | --help)
        sed -n '2,3s/^# //p' "$0"
        exit 0
        ;;
    *)
        echo "install.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    esac
    shift
done

run() {
    if [ -n "$dry" ]; then echo "would run: $*"; else "$@"; fi
}

if [ -z "$dry" ] && [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: must be root: sudo $0" >&2
    exit 6
fi
if [ -e /var/lib/dpkg/info/selvedge.list ]; then
    echo "install.sh: the package selvedge is installed: apt install or apt remove it" >&2
    exit 6
fi
has_systemd=""
[ -d /run/systemd/system ] && has_systemd=1

if [ -n "$uninstall" ]; then
    if [ -n "$has_systemd" ]; then
        for unit in agent broker; do
            [ ! -e $units/selvedge-$unit.service ] || run systemctl disable --now selvedge-$unit.service
        done
    fi
    run rm -rf $home /usr/local/bin/selvedge $units/selvedge-agent.service $units/selvedge-broker.service \
        $units/selvedge-agent.service.d /etc/udev/rules.d/60-selvedge.rules
    if [ -n "$purge" ]; then
        run rm -rf /etc/selvedge /var/lib/selvedge /var/lib/private/selvedge \
            /var/cache/selvedge /var/cache/private/selvedge
    fi
    [ -z "$has_systemd" ] || run systemctl daemon-reload
    exit 0
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    { echo "install.sh: Python 3.11 or newer is needed" >&2; exit 6; }
python3 -c 'import ensurepip' 2>/dev/null ||
    { echo "install.sh: the module venv is needed: install python3-venv" >&2; exit 6; }
if [ -z "$wheel" ]; then
    for each in "$here"/selvedge-*.whl "$here"/../dist/selvedge-*.whl; do
        [ -e "$each" ] && wheel=$each
    done
fi
[ -n "$wheel" ] && [ -e "$wheel" ] ||
    { echo "install.sh: no wheel: make wheel, or --wheel FILE" >&2; exit 4; }

run python3 -m venv $home
run $home/bin/pip install --quiet --upgrade "$wheel" "cryptography>=42"
run env CFLAGS=-Wno-error=incompatible-pointer-types $home/bin/pip install --quiet pywasm3==0.5.0 ||
    echo "install.sh: wasm3 cannot be built here (gcc and python3-dev are needed); going on with wasmtime" >&2
run mkdir -p /usr/local/bin
run ln -sf $home/bin/selvedge /usr/local/bin/selvedge
run mkdir -p -m 755 /etc/selvedge
run mkdir -p -m 700 /etc/selvedge/credentials
[ -e /etc/selvedge/agent.toml ] || run cp "$here/debian/agent.toml" /etc/selvedge/agent.toml
run mkdir -p $units/selvedge-agent.service.d
for unit in agent broker; do
    run cp "$here/systemd/selvedge-$unit.service" $units/
done
run cp "$here/udev/60-selvedge.rules" /etc/udev/rules.d/
groups=""
for group in video render audio dialout plugdev gpio i2c spi; do
    if getent group "$group" >/dev/null; then groups="$groups $group"; fi
done
if [ -n "$dry" ]; then
    echo "would write: $units/selvedge-agent.service.d/10-groups.conf with groups$groups"
else
    printf '[Service]\nSupplementaryGroups=%s\n' "${groups# }" >$units/selvedge-agent.service.d/10-groups.conf
fi
if [ -n "$has_systemd" ]; then
    run systemctl daemon-reload
    run systemctl enable selvedge-agent.service
    run systemctl restart selvedge-agent.service
fi
