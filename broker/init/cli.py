"""`selvedge broker init DIR`: the authority, certificates and configuration of a fleet's broker."""

import argparse
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from broker.adapters.authority import Validity, check_host
from broker.adapters.fleet_folder import FleetFolder
from broker.contract.outcome import Outcome
from broker.contract.topics import PREFIX, Topics
from broker.errors import ConfigError, UsageError
from broker.init.access import check_discovery, check_name, check_readable
from broker.init.mosquitto_conf import operators_port
from broker.init.settings import FleetSettings

MAX_BACKDATE_DAYS = 20 * 365


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.epilog = "Run it again to add devices, operators, hosts or topics: no key is touched."
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder for all of it")
    for name, metavar, text in (
        ("host", "NAME", "name or address under which clients reach the broker"),
        ("device", "ID", "make a certificate for a device"),
        ("operator", "NAME", "make a certificate for an operator (default: admin)"),
        ("aggregator", "NAME", "make a certificate for an aggregator of federated learning"),
        ("block", "ID", "take every right from a device, such as one that was lost"),
        ("readable", "FILTER", "topics beside the contract that devices may read"),
    ):
        parser.add_argument(
            f"--{name}", metavar=metavar, action="append", default=[], help=f"{text}; repeatable"
        )
    parser.add_argument(
        "--home-assistant",
        metavar="PREFIX",
        help="of its discovery, as a rule homeassistant: devices may announce themselves there, "
        "operators read it; '' takes that back",
    )
    parser.add_argument("--prefix", help="of the contract's topics (default: selvedge/v1)")
    parser.add_argument(
        "--port", type=int, help="for devices; operators get the next (default: 8883)"
    )
    parser.add_argument(
        "--backdate",
        metavar="DAYS",
        type=int,
        default=1,
        help="certificates begin so many days ago, for clocks that are behind (default: 1)",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Make what is missing and say what to do next.

    Raises:
        UsageError: a name, host, filter or number is refused; nothing has been written then.
        ConfigError: a file cannot be written or used.
    """
    if not 0 <= arguments.backdate <= MAX_BACKDATE_DAYS:
        raise UsageError(f"--backdate {arguments.backdate}: use 0 to {MAX_BACKDATE_DAYS} days")
    root = arguments.folder.absolute()
    if not str(root).isprintable():
        raise ConfigError(f"folder {str(root)!r} is no path for a configuration file")
    validity = Validity(datetime.now(UTC), timedelta(days=arguments.backdate))
    folder = FleetFolder(root, validity)
    settings = _merge(folder.settings(), arguments)
    devices = [check_name(name, "device") for name in arguments.device]
    operators = [check_name(name, "operator") for name in arguments.operator]
    aggregators = [check_name(name, "aggregator") for name in arguments.aggregator]
    folder.prepare(settings)
    for device in devices:
        folder.add_device(device)
    for name in operators or ([] if folder.members("operators") else ["admin"]):
        folder.add_operator(name)
    for name in aggregators:
        folder.add_aggregator(name)
    folder.finish(settings)
    return _outcome(folder, settings)


def _merge(old: FleetSettings | None, arguments: argparse.Namespace) -> FleetSettings:
    settings = old or FleetSettings(hosts=(_own_name(), "localhost"))
    if arguments.prefix is not None:
        if not re.fullmatch(PREFIX, arguments.prefix):
            raise UsageError(f"--prefix {arguments.prefix!r}: use one to four levels of [a-z0-9_-]")
        settings = replace(settings, prefix=arguments.prefix)
    if arguments.port is not None:
        if not 1 <= arguments.port <= 65534:
            raise UsageError(f"--port {arguments.port}: use 1 to 65534")
        settings = replace(settings, port=arguments.port)
    hosts = tuple(check_host(host) for host in arguments.host)
    topics = Topics(settings.prefix)
    readable = (*settings.readable, *arguments.readable)
    announced = settings.home_assistant
    if arguments.home_assistant is not None:
        announced = arguments.home_assistant
    blocked = (*settings.blocked, *(check_name(name, "block") for name in arguments.block))
    if again := sorted(set(blocked) & set(arguments.device)):
        raise UsageError(f"--device {again[0]} is refused: it is blocked; give it another name")
    return replace(
        settings,
        hosts=tuple(dict.fromkeys((*(settings.hosts if old or not hosts else ()), *hosts))),
        home_assistant=check_discovery(announced, topics),
        blocked=tuple(dict.fromkeys(blocked)),
        readable=tuple(dict.fromkeys(check_readable(text, topics) for text in readable)),
    )


def _own_name() -> str:
    try:
        return check_host(socket.gethostname())
    except UsageError:
        return "localhost"


def _outcome(folder: FleetFolder, settings: FleetSettings) -> Outcome:
    root, host = folder.root, settings.hosts[0]
    devices, operators = folder.members("devices"), folder.members("operators")
    desk = root / "operators" / operators[0]
    operators_url = f"mqtts://{_in_url(host)}:{operators_port(settings.port)}"
    lines = [
        f"{len(folder.created)} files written below {root}",
        f"  broker for {', '.join(settings.hosts)}; devices: {', '.join(devices) or 'none yet'}; "
        f"operators: {', '.join(operators)}",
        "next:",
        f"  start the broker        mosquitto -c {root}/mosquitto/mosquitto.conf",
        "  or, if it runs          pkill -HUP mosquitto, so that it reads the access list again",
        f"  add a device            selvedge broker init {root} --device ID",
        f"  equip it                copy {root}/devices/ID/ to it, keys readable by its agent only",
        f"  look at the fleet       selvedge devices --broker {operators_url} "
        f"--ca {desk}/ca.crt --cert {desk}/client.crt --key {desk}/client.key",
        f"  keep the authority      move {root}/ca to a safe place; bring it back to add devices",
    ]
    tree = {
        "folder": str(root),
        "written": [str(path.relative_to(root)) for path in folder.created],
        "hosts": list(settings.hosts),
        "devices": devices,
        "operators": operators,
        "aggregators": folder.members("aggregators"),
        "blocked": list(settings.blocked),
        "devices_url": f"mqtts://{_in_url(host)}:{settings.port}",
        "operators_url": operators_url,
    }
    return Outcome("\n".join(lines), tree)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
