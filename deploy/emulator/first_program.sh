#!/bin/sh
# The kernel's first program: loads what the disk needs, mounts it, and hands over to systemd.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in /modules/*; do
    case $module in
    *.xz) $B xzcat "$module" >/module.ko && $B insmod /module.ko ;;
    *) $B insmod "$module" ;;
    esac
done
root=/dev/vda
for word in $($B cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; esac
done
tries=0
while [ ! -b "$root" ] && [ $tries -lt 300 ]; do
    $B usleep 100000
    tries=$((tries + 1))
done
$B mount -t ext4 -o rw "$root" /root || exec $B sh
$B mount --move /dev /root/dev
$B umount /sys
$B umount /proc
exec $B switch_root /root /sbin/init
