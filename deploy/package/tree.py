"""What lies where on a device."""

import gzip
import shutil
from pathlib import Path

from deploy.package import completion, man, wasm3, wheels
from deploy.package.targets import Architecture, Suite

DEPLOY = Path(__file__).resolve().parents[1]
HOME = "opt/selvedge"
DOC = "usr/share/doc/selvedge"
SCRIPT = """\
#!/opt/selvedge/bin/python3 -P
import sys

from selvedge import main

sys.exit(main())
"""
CONFIGURATION = ("/etc/selvedge/agent.toml",)
"""Files that an upgrade asks about when the administrator has changed them."""
NOT_WANTED = ("bin", "include", "share")
"""Scripts and pages of other people's wheels."""

ENGINES = "agent/runtime/engines/libselvedge-*.so"
"""Of ours, one for each kind of machine."""

TESTS = "numpy/**/tests"
"""A tenth of all bytes; nothing of numpy imports them."""


def build(root: Path, suite: Suite, architecture: Architecture, wheel: Path, cache: Path) -> None:
    """Lay out all files of the package below `root`.

    Raises:
        PackageError: a part cannot be had.
    """
    site = root / HOME / f"lib/python{suite.python}/site-packages"
    site.mkdir(parents=True)
    wheels.install(suite, architecture, wheel, site)
    wasm3.install(suite, architecture, site, cache)
    _leave_out(site, architecture)
    _write_venv(root / HOME, suite, architecture)
    link = root / "usr/bin/selvedge"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"/{HOME}/bin/selvedge")
    _copy(DEPLOY / "systemd", root / "lib/systemd/system", "*.service")
    _copy(DEPLOY / "udev", root / "lib/udev/rules.d", "*.rules")
    _copy(DEPLOY / "debian", root / "etc/selvedge", "agent.toml")
    credentials = root / "etc/selvedge/credentials"
    credentials.mkdir(mode=0o700)
    _write(root / "usr/share/man/man1/selvedge.1.gz", man.compressed())
    _write(root / "usr/share/bash-completion/completions/selvedge", completion.script().encode())
    _copy(DEPLOY / "debian", root / DOC, "copyright")
    changes = (DEPLOY.parent / "CHANGELOG.md").read_bytes()
    _write(root / DOC / "changelog.gz", gzip.compress(changes, 9, mtime=0))


def _leave_out(site: Path, architecture: Architecture) -> None:
    """Take away what nobody runs, and what names the interpreter and folders of the builder."""
    for engine in site.glob(ENGINES):
        if not engine.stem.endswith(f"-{architecture.machine}"):
            engine.unlink()
    for folder in [*(site / name for name in NOT_WANTED), *site.glob(TESTS)]:
        shutil.rmtree(folder, ignore_errors=True)
    for about in site.glob("*.dist-info"):
        (about / "direct_url.json").unlink(missing_ok=True)
        record = about / "RECORD"
        if record.exists():
            lines = record.read_text().splitlines(keepends=True)
            record.write_text("".join(line for line in lines if _is_there(site, line)))


def _is_there(site: Path, line: str) -> bool:
    name = line.rsplit(",", 2)[0].strip('"')
    return not name.startswith("../") and (site / name).exists()


def _write_venv(home: Path, suite: Suite, architecture: Architecture) -> None:
    (home / "bin").mkdir()
    for name in ("python3", "python"):
        (home / "bin" / name).symlink_to("/usr/bin/python3")
    others = "true" if architecture.of_debian else "false"
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = {others}\nversion = {suite.python}\n"
    )
    script = home / "bin/selvedge"
    script.write_text(SCRIPT)
    script.chmod(0o755)


def _copy(source: Path, target: Path, pattern: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob(pattern)):
        shutil.copyfile(path, target / path.name)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
