"""A root file system of Debian packages, unpacked only: nothing foreign is executed.

What the packages' own scripts would have done, as far as a booting system needs it, is done here.
"""

import hashlib
import os
import shutil
from pathlib import Path

from deploy.package.commands import run
from deploy.package.debian_archive import KEYRING, mirror
from deploy.package.errors import PackageError

ESSENTIAL = (
    *(
        "base-files",
        "base-passwd",
        "bash",
        "bsdutils",
        "coreutils",
        "dash",
        "debianutils",
        "diffutils",
    ),
    *("findutils", "grep", "gzip", "hostname", "init-system-helpers", "libc-bin", "login", "mount"),
    *("ncurses-base", "sed", "sysvinit-utils", "tar", "util-linux", "perl-base", "dpkg", "mawk"),
)
SYSTEM = (
    *("systemd", "systemd-sysv", "udev", "kmod", "dbus", "python3", "iproute2", "passwd"),
    *("libpam-systemd", "mosquitto", "procps", "adduser", "libstdc++6"),
    "python3-venv",
)
LEFT_OUT = ("doc", "man", "locale", "info", "bash-completion", "zsh")
MASKED = (
    *("systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "ldconfig.service"),
    *("systemd-update-utmp.service", "systemd-pstore.service", "systemd-binfmt.service"),
    *(
        "systemd-timesyncd.service",
        "systemd-networkd-wait-online.service",
        "e2scrub_reap.service",
        "getty@tty1.service",
    ),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("fstrim.timer", "proc-sys-fs-binfmt_misc.automount", "mosquitto.service"),
)
PAM = ("auth", "account", "password", "session", "session-noninteractive")
FORM = 4
"""Of what is made here; another number makes it anew."""


def build(suite: str, architecture: str, cache: Path, also: tuple[str, ...] = ()) -> Path:
    """Make the folder, or take it from the cache; it must not be changed: copy it.

    Raises:
        PackageError: mmdebstrap is not here, this is not root, or the archive is not reached.
    """
    if os.geteuid() != 0:
        raise PackageError("a root file system can be made by root only")
    words = [str(FORM), suite, architecture, *ESSENTIAL, *SYSTEM, *also, *MASKED]
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
    root = cache / f"root-{suite}-{architecture}-{digest}"
    if root.exists():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / f"{root.name}.making"
    shutil.rmtree(made, ignore_errors=True)
    hooks = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"] if suite == "bookworm" else []
    run(
        [
            *("mmdebstrap", "--quiet", f"--arch={architecture}", "--variant=extract", *hooks),
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
            f"--include={','.join((*ESSENTIAL, *SYSTEM, *also))}",
            *(suite, str(made), f"deb [signed-by={KEYRING}] {mirror()} {suite} main"),
        ]
    )
    _finish(made)
    made.rename(root)
    return root


def _finish(root: Path) -> None:
    etc = root / "etc"
    for kind in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{kind}.master", etc / kind)
    for name in ("shadow", "gshadow", "fstab", ".updated"):
        (etc / name).write_text("")
    (root / "var/.updated").write_text("")
    for link, target in (("bin/sh", "dash"), ("usr/bin/awk", "mawk")):
        if not (root / link).is_symlink():
            (root / link).symlink_to(target)
    (etc / "pam.d").mkdir(exist_ok=True)
    for name in PAM:
        kind = name.partition("-")[0]
        (etc / f"pam.d/common-{name}").write_text(f"{kind} required pam_permit.so\n")
    (etc / "machine-id").write_text("0" * 31 + "1\n")
    (etc / "hostname").write_text("pi-under-test\n")
    (etc / "hosts").write_text("127.0.0.1 localhost pi-under-test\n")
    (etc / "nsswitch.conf").write_text(
        "passwd: files systemd\ngroup: files systemd\nhosts: files\n"
    )
    (etc / "resolv.conf").unlink(missing_ok=True)
    (root / "usr/lib/sysusers.d/mosquitto.conf").write_text("u mosquitto - - /var/lib/mosquitto\n")
    for path in (root / "usr/lib/sysusers.d").glob("*.conf"):
        # Debian 13 locks accounts by a mark that the program of Debian 12, run here, does not know.
        path.write_text(path.read_text().replace("\nu! ", "\nu "))
    run(["systemctl", f"--root={root.resolve()}", "preset-all", "--preset-mode=enable-only"])
    run(["systemd-sysusers", f"--root={root.resolve()}"])
    (etc / "dpkg/dpkg.cfg.d/99mmdebstrap").unlink()  # else pages of ours would be left out as well
    units = etc / "systemd/system"
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    for waste in ("var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / waste, ignore_errors=True)
        (root / waste).mkdir(parents=True)
