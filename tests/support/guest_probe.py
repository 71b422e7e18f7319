"""Runs in a service, and without one for comparison: what it must not do, tried.

Prints, as one JSON object, the name of the error that each attempt met, or "done".
"""

import ctypes
import errno
import json
import os
import platform
import socket
import sys
from collections.abc import Callable
from pathlib import Path

FINIT_MODULE = {"x86_64": 313, "aarch64": 273}[platform.machine()]
CLONE_NEWUSER = 0x1000_0000
CONNECT_S = 3.0
LIBC = ctypes.CDLL(None, use_errno=True)


def met(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def called(returned: int) -> None:
    if returned < 0:
        raise OSError(ctypes.get_errno(), "")


def writes(folder: str) -> str:
    file = Path(folder, "probe")
    return met(lambda: (file.write_text("mine"), file.unlink()))


def loads_module(path: str) -> None:
    with Path(path).open("rb") as module:
        called(LIBC.syscall(FINIT_MODULE, module.fileno(), b"", 0))


def sends(kind: socket.SocketKind, host: str, port: str) -> None:
    with socket.socket(socket.AF_INET, kind) as line:
        line.settimeout(CONNECT_S)
        line.connect((host, int(port)))
        line.send(b"x")


module, *addresses = sys.argv[1:]
folders = ("/etc/selvedge", "/opt/selvedge", "/srv", "/usr/bin", "/")
own = {name: os.environ.get(f"{name}_DIRECTORY", "/nowhere") for name in ("STATE", "CREDENTIALS")}
processes = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
tried = {
    "uid": os.getuid(),
    "writes": {folder: writes(folder) for folder in folders},
    "writes home": writes("/root"),
    "writes state": writes(own["STATE"]),
    "reads key": met(lambda: open("/etc/selvedge/credentials/client.key")),  # noqa: PTH123, SIM115
    "reads credential": met(Path(own["CREDENTIALS"], "mqtt_client.key").read_bytes),
    "raw socket": met(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
    "loads module": met(lambda: loads_module(module)),
    "makes namespace": met(lambda: called(LIBC.unshare(CLONE_NEWUSER))),
    "sees of others": len(processes - {os.getpid()}),
    "reaches": {
        address: {
            kind.name: met(lambda kind=kind, address=address: sends(kind, *address.split(":")))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        }
        for address in addresses
    },
}
print(json.dumps(tried))
