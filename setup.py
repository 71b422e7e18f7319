"""Builds the engines and puts them into the wheel; an editable install keeps them in `.cache`.

All else stands in pyproject.toml. docs/adr/0010-prebuilt-engines.md says why.
"""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import ExecError

sys.path.insert(0, str(Path(__file__).resolve().parent))  # build backends leave it out

from engine.host import cross
from engine.wasm import build as wasm


class BuildWithEngines(build_py):
    """Copies the packages, and the engines among them."""

    def run(self) -> None:
        """Build what is not in the cache; in a source tree it is used from there."""
        super().run()
        try:
            made = dict(_editable() if self.editable_mode else _all())
        except wasm.BuildError as error:
            raise ExecError(str(error)) from None
        if not self.editable_mode:
            for package, path in made.items():
                self.mkpath(str(Path(self.build_lib, package).parent))
                self.copy_file(str(path), str(Path(self.build_lib, package)), preserve_mode=False)


def _all() -> Iterator[tuple[str, Path]]:
    """Where each engine stands in the wheel, and its file."""
    for target in wasm.TARGETS:
        yield f"toolchain/convert/engines/{target}.wasm", wasm.build(target)
    for machine in cross.MACHINES:
        path = cross.build(machine)
        yield f"agent/runtime/engines/{path.name}", path


def _editable() -> Iterator[tuple[str, Path]]:
    """What this machine can use."""
    here = f"libselvedge-{platform.machine()}.so"
    for machine in cross.MACHINES:
        if here.endswith(f"-{machine}.so"):
            yield here, cross.build(machine)
    for target in wasm.TARGETS:
        yield target, wasm.build(target)


setup(cmdclass={"build_py": BuildWithEngines})
