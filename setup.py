"""Builds the engines and puts them into the wheel; an editable install keeps them in `.cache`.

Where there is a compiler for it, the firmware of the emulated board goes along.
All else stands in pyproject.toml. docs/adr/0010-prebuilt-engines.md says why.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import ExecError

sys.path.insert(0, str(Path(__file__).resolve().parent))  # build backends leave it out

from engine.host import cross
from engine.wasm import build as wasm
from firmware_bridge.firmware import build as firmware


class BuildWithEngines(build_py):
    """Copies the packages, and the engines among them."""

    def run(self) -> None:
        """Build what is not in the cache; in a source tree it is used from there."""
        super().run()
        try:
            modules = dict(_modules())
            libraries = {} if self.editable_mode else dict(_libraries()) | dict(_images())
        except (wasm.BuildError, firmware.BuildError) as error:
            raise ExecError(str(error)) from None
        if not self.editable_mode:
            for place, path in (modules | libraries).items():
                self.mkpath(str(Path(self.build_lib, place).parent))
                self.copy_file(str(path), str(Path(self.build_lib, place)), preserve_mode=False)


def _modules() -> Iterator[tuple[str, Path]]:
    """Where each engine stands in the wheel, and its file."""
    for target in wasm.ENGINES:
        yield f"toolchain/convert/engines/{target}.wasm", wasm.build(target)


def _libraries() -> Iterator[tuple[str, Path]]:
    """The same for other machines; a source tree compiles its own with `cc`."""
    for machine in cross.MACHINES:
        path = cross.build(machine)
        yield f"agent/runtime/engines/{path.name}", path


def _images() -> Iterator[tuple[str, Path]]:
    """The firmware, for `selvedge mcu … --emulate` where no compiler is."""
    if shutil.which(firmware.BOARDS["mps2-an386"].compiler) is None:
        sys.stderr.write("no arm-none-eabi-gcc: this wheel will carry no firmware\n")
        return
    yield "firmware_bridge/images/mps2-an386.elf", firmware.build()
    yield "firmware_bridge/images/mps2-an386-counting.elf", firmware.build(counting=True)


setup(cmdclass={"build_py": BuildWithEngines})
