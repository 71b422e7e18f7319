#!/bin/sh
# Becomes the first process of a Debian in namespaces of its own; $ROOT is its root, made for this run.
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
# What belongs to the machine can be read only: sysctls, /sys, and no device but these.
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount -o remount,bind,ro "$ROOT/proc/sys"
mount -t sysfs -o ro sys "$ROOT/sys"
mount -t cgroup2 none "$ROOT/sys/fs/cgroup"
mount -t tmpfs run "$ROOT/run"
mount -t tmpfs dev "$ROOT/dev"
mkdir -p "$ROOT/dev/pts" "$ROOT/dev/shm"
mount -t tmpfs shm "$ROOT/dev/shm"
for name in null zero full random urandom tty; do
    touch "$ROOT/dev/$name"
    mount --bind "/dev/$name" "$ROOT/dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=666 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
ip link set lo up
# Not chroot: the kernel makes no user namespaces (PrivateUsers=) for who is in one.
cd "$ROOT"
mkdir -p .machine
pivot_root . .machine
exec env -i container=ns PATH=/usr/sbin:/usr/bin TERM=dumb sh -c \
    'umount -l /.machine && rmdir /.machine && exec /usr/lib/systemd/systemd --log-target=journal' \
    <dev/null >dev/null 2>&1
