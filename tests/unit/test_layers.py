"""The rules of the house about who may import whom, read from the sources themselves."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agent", "broker", "firmware_bridge", "toolchain")

# Who may import whom; the longest matching name on the left speaks for a module.
ARROWS = {
    "agent": ("agent", "broker.contract", "firmware_bridge"),
    "broker": ("broker", "toolchain"),
    "broker.contract": ("broker.contract",),
    "toolchain": ("toolchain", "broker.contract"),
    "firmware_bridge": ("firmware_bridge",),
}

# Devices, clocks, chance, processes and files: what a pure module takes as an argument instead.
IMPURE = frozenset(
    [
        "_thread",
        "aiohttp",
        "alsaaudio",
        "amqtt",
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "ftplib",
        "glob",
        "http",
        "importlib",
        "linuxpy",
        "mmap",
        "multiprocessing",
        "os",
        "paho",
        "picamera2",
        "pty",
        "queue",
        "random",
        "resource",
        "sched",
        "secrets",
        "select",
        "selectors",
        "serial",
        "shutil",
        "signal",
        "smtplib",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "termios",
        "threading",
        "time",
        "tqdm",
        "urllib",
        "uuid",
    ]
)
PURE_PARTS = {
    "pathlib": {"PurePath", "PurePosixPath", "PureWindowsPath"},
    "urllib": {"parse", "urlsplit", "urlparse", "quote", "unquote"},
}
IMPURE_CALLS = ("open", "print", "input", "exec", "eval", "__import__")
HEAVY = ("numpy", "PIL", "ai_edge_litert", "tflite", "tflite_runtime")
MAX_LINES = 300
C_SOURCES = ROOT / "firmware_bridge" / "firmware"
"""Like `engine`: C and the script that builds it, no package."""


def sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.is_relative_to(C_SOURCES):
                continue
            yield str(path.relative_to(ROOT)), path.read_text()


def violations(path: str, source: str) -> list[str]:
    found = [*_arrows(path, source)]
    if is_pure(path):
        found += _impurities(path, source)
    if (lines := source.count("\n")) > MAX_LINES:
        found.append(f"{path}: {lines} lines; a file holds one idea in at most {MAX_LINES}")
    return found


def is_pure(path: str) -> bool:
    parts = Path(path.removesuffix(".py")).parts
    return not any(part in ("adapters", "app", "cli") or part.endswith("_cli") for part in parts)


def _imports(source: str) -> Iterator[tuple[str, str]]:
    """Every imported (module, name), also inside functions; the name is empty for `import x`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)


def _under(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _arrows(path: str, source: str) -> Iterator[str]:
    module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    owner = max((name for name in ARROWS if _under(module, name)), key=len)
    for imported, name in _imports(source):
        target = f"{imported}.{name}" if imported in ("broker", "toolchain", "agent") else imported
        if imported.startswith("."):
            yield f"{path}: a relative import; write {imported} in full"
        elif target.split(".")[0] in (*PACKAGES, "selvedge", "tests"):
            if not any(_under(target, allowed) for allowed in ARROWS[owner]):
                yield f"{path}: {owner} may not import {target}"
            if is_pure(path) and not is_pure(f"{imported}.{name}".replace(".", "/")):
                yield f"{path}: is pure and imports {target}"


def _impurities(path: str, source: str) -> Iterator[str]:
    for imported, name in _imports(source):
        package, _, rest = imported.partition(".")
        if package in PURE_PARTS:
            if not {name, rest} & PURE_PARTS[package]:
                yield f"{path}: is pure and imports {name or package} of {imported}"
        elif package in IMPURE:
            yield f"{path}: is pure and imports {imported}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in IMPURE_CALLS:
            yield f"{path}: is pure and calls {ast.unparse(node.func)}()"


def test_the_house_keeps_its_rules() -> None:
    checked = list(sources())
    assert len(checked) > 40
    assert [line for path, source in checked for line in violations(path, source)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("agent/x.py", "import broker"),
        ("agent/x.py", "from broker import registry"),
        ("agent/x.py", "from broker.embedded import x"),
        ("agent/x.py", "import toolchain.inspect"),
        ("agent/adapters/x.py", "from toolchain import compress"),
        ("agent/cli.py", "def f():\n    import broker.fleet.cli"),
        ("agent/x.py", "import selvedge"),
        ("broker/x.py", "import agent.errors"),
        ("broker/contract/x.py", "from broker.fleet import x"),
        ("broker/contract/x.py", "from toolchain.errors import ToolchainError"),
        ("toolchain/x.py", "from broker.errors import x"),
        ("toolchain/x.py", "from agent.errors import ModelError"),
        ("firmware_bridge/x.py", "from broker.contract.errors import ContractError"),
        ("agent/x.py", "from .errors import ModelError"),
        ("agent/x.py", "import time"),
        ("agent/x.py", "from os import path"),
        ("agent/x.py", "import os.path"),
        ("agent/x.py", "def f():\n    from random import random"),
        ("agent/x.py", "from pathlib import Path"),
        ("agent/x.py", "import pathlib"),
        ("agent/x.py", "import urllib.request"),
        ("agent/x.py", "from urllib import request"),
        ("agent/control/x.py", "import paho.mqtt.client"),
        ("broker/contract/x.py", "import sqlite3"),
        ("agent/x.py", "text = open('x').read()"),
        ("agent/runtime/x.py", "from agent.runtime.adapters.loading import load"),
        ("agent/runtime/x.py", "from agent.runtime import adapters"),
        ("agent/runtime/x.py", "from agent.infer.app import infer"),
        ("broker/fleet/x.py", "from broker.fleet.get_cli import run"),
        ("agent/adapters/long.py", "x = 1\n" * (MAX_LINES + 1)),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    assert violations(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("agent/x.py", "from broker.contract import topics"),
        ("agent/x.py", "from broker.contract.topics import Topics"),
        ("agent/x.py", "import firmware_bridge.session"),
        ("agent/x.py", "import numpy as np\nimport json\nfrom pathlib import PurePath"),
        ("agent/x.py", "from urllib.parse import urlsplit"),
        ("agent/adapters/x.py", "import socket, time, os\nfrom pathlib import Path"),
        ("agent/app.py", "from agent.adapters.link import Link\nimport time"),
        ("broker/fleet/get_cli.py", "from broker.adapters.client import x\nimport sys"),
        ("broker/x.py", "from toolchain.inspect import x"),
        ("broker/contract/x.py", "from broker.contract.errors import x"),
        ("toolchain/x.py", "from broker.contract.exit_code import ExitCode"),
        ("agent/x.py", "x = 1\n" * MAX_LINES),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_the_main_process_loads_no_numpy_and_no_runtime() -> None:
    program = f"import sys, agent.app; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout.strip()) == (0, "[]"), told.stderr
