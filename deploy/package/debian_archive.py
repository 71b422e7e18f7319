"""Files of Debian's packages for any release and architecture, beside the machine's own."""

import re
import time
from pathlib import Path

from deploy.package.commands import run
from deploy.package.errors import PackageError

SOURCES = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FRESH_S = 24 * 3600.0


def mirror() -> str:
    """Address of the archive that this machine itself uses.

    Raises:
        PackageError: this is not a Debian machine.
    """
    codename = _codename()
    for path in sorted([*SOURCES.glob("*.list"), *SOURCES.rglob("*.list.d/*")]):
        text = path.read_text(errors="replace")
        for stanza in re.split(r"\n\s*\n", text):
            if found := _of_stanza(stanza, codename) or _of_lines(stanza, codename):
                return found
    raise PackageError("no Debian archive in /etc/apt: packages are built on a Debian machine")


def fetch(names: list[str], suite: str, architecture: str, folder: Path) -> Path:
    """Download packages and unpack them, without their scripts, into `folder/root`.

    Raises:
        PackageError: the archive is not reached or lacks one of them.
    """
    root = folder / "root"
    if root.exists():
        return root
    own = folder / "apt"
    run(["apt-get", *_beside(suite, architecture, own), "-qq", "download", *names], own)
    made = folder / "unpacked"
    made.mkdir(exist_ok=True)
    for package in sorted(own.glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(made)], own)
        package.unlink()
    for name in ("bin", "lib", "sbin"):  # since Debian 13 packages name where these links lead to
        if not (made / name).exists() and (made / "usr" / name).exists():
            (made / name).symlink_to(f"usr/{name}")
    made.rename(root)
    return root


def versions(names: list[str], suite: str, architecture: str, folder: Path) -> dict[str, str]:
    """The newest version of each of these packages and of what they depend on.

    The archive is asked once a day; `folder` keeps its lists.

    Raises:
        PackageError: the archive is not reached or lacks one of them.
    """
    options = _beside(suite, architecture, folder / f"lists-{suite}-{architecture}")
    words = ["install", "--simulate", "--no-install-recommends", *names]
    told = run(["apt-get", *options, "-qq", *words])
    return dict(re.findall(r"^Inst (\S+) \((\S+) ", told, re.MULTILINE))


def _beside(suite: str, architecture: str, own: Path) -> list[str]:
    """Options for an apt whose lists and state are not this machine's; its lists are fresh."""
    for part in ("lists/partial", "cache/archives/partial", "dpkg"):
        (own / part).mkdir(parents=True, exist_ok=True)
    (own / "dpkg/status").touch()
    (own / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::Etc::SourceList": own / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": own / "lists",
        "Dir::State::Status": own / "dpkg/status",
        "Dir::Cache": own / "cache",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    asked = own / "asked"
    if not asked.exists() or time.time() - asked.stat().st_mtime > FRESH_S:
        run(["apt-get", *words, "-qq", "update"], own)
        asked.touch()
    return words


def _codename() -> str:
    try:
        words = Path("/etc/os-release").read_text()
    except OSError:
        words = ""
    found = re.search(r"^VERSION_CODENAME=(\w+)", words, re.MULTILINE)
    return found.group(1) if found else ""


def _of_stanza(stanza: str, codename: str) -> str | None:
    fields = dict(re.findall(r"^(\w[\w-]*):\s*(.+?)\s*$", stanza, re.MULTILINE))
    fits = codename in fields.get("Suites", "").split()
    return fields["URIs"].split()[0] if fits and "URIs" in fields else None


def _of_lines(stanza: str, codename: str) -> str | None:
    form = rf"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{re.escape(codename)}\s+.*\bmain\b"
    found = re.search(form, stanza, re.MULTILINE) if codename else None
    return found.group(1) if found else None
