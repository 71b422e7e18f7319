"""pywasm3, which comes as C only, for a machine that is not this one."""

import shutil
import sys
import tarfile
from pathlib import Path

from deploy.package import debian_archive
from deploy.package.commands import run
from deploy.package.targets import Architecture, Suite

VERSION = "0.5.0"
FLAGS = (
    *("-shared", "-fPIC", "-O3", "-g0", "-DNASSERTS", "-fomit-frame-pointer"),
    *("-fno-stack-check", "-fno-stack-protector", "-fno-sanitize=undefined"),
    # Its C is older than what compilers take for granted today.
    *("-Wno-error=incompatible-pointer-types", "-Wno-error=int-conversion", "-w"),
)


def install(suite: Suite, architecture: Architecture, site: Path, cache: Path) -> None:
    """Compile the extension and put it, with its metadata, into a `site-packages` folder.

    Raises:
        PackageError: the sources, the headers or the compiler cannot be had.
    """
    sources = _sources(cache)
    headers = debian_archive.fetch(
        [f"libpython{suite.python}-dev"],
        suite.name,
        architecture.debian,
        cache / f"headers-{suite.name}-{architecture.debian}",
    )
    include = headers / "usr/include"
    places = (sources / "wasm3", include, include / f"python{suite.python}")
    tag = f"cpython-{suite.python.replace('.', '')}-{architecture.triplet}"
    run(
        [
            *(sys.executable, "-m", "ziglang", "cc"),
            *("-target", f"{architecture.zig}.2.{suite.glibc_minor}", *FLAGS),
            *(f"-I{place}" for place in places),
            f"-fmacro-prefix-map={sources}=.",  # its messages name its sources
            *map(str, sorted((sources / "wasm3").glob("*.c"))),
            str(sources / "m3module.c"),
            *("-lm", "-Wl,--strip-all", "-o", str(site / f"wasm3.{tag}.so")),
        ]
    )
    about = site / f"pywasm3-{VERSION}.dist-info"
    about.mkdir()
    shutil.copy(sources / "PKG-INFO", about / "METADATA")
    (about / "INSTALLER").write_text("selvedge\n")


def _sources(cache: Path) -> Path:
    folder = cache / "wasm3"
    made = folder / f"pywasm3-{VERSION}"
    if made.exists():
        return made
    words = ["download", "--quiet", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    run([sys.executable, "-m", "pip", *words, "--dest", str(folder), f"pywasm3=={VERSION}"])
    with tarfile.open(folder / f"pywasm3-{VERSION}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return made
