"""A Raspberry-Pi-class machine in QEMU: arm64, Debian's kernel and systemd, cached between runs."""
