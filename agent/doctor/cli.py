"""`selvedge doctor`."""

import argparse
from dataclasses import asdict

from agent.adapters.config_files import state_folder
from agent.config.device import DeviceConfig
from agent.doctor.adapters.configured import credentials_of, password_of, read_configuration
from agent.doctor.adapters.inputs import read_inputs
from agent.doctor.adapters.machine import read_folder, read_memory, read_system, read_user
from agent.doctor.adapters.programs import installed_version, read_brokers, read_libraries
from agent.doctor.adapters.service import read_service
from agent.doctor.checks import examine, usable
from agent.doctor.facts import BrokerAnswer, Facts
from agent.doctor.finding import Finding
from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.epilog = "Ends with 1 if it found a problem; warnings alone leave it at 0."
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of the agent's configuration; /etc/selvedge/*.toml if left out",
    )
    parser.add_argument(
        "--broker",
        metavar="URL",
        help="connect to mqtt://host[:port]; the one configured if left out",
    )
    parser.add_argument("--ca", metavar="FILE", help="certificate of the broker's authority")
    parser.add_argument("--cert", metavar="FILE", help="this device's certificate")
    parser.add_argument("--key", metavar="FILE", help="its private key")
    parser.add_argument("--state", metavar="DIR", help="the agent's state folder")
    parser.add_argument(
        "--python",
        metavar="FILE",
        default="/usr/bin/python3",
        help="the Python that has picamera2 (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Gather the facts and say what they mean."""
    facts = gather(arguments)
    findings = examine(facts)
    tree = {
        "findings": [asdict(finding) for finding in findings],
        "runtimes": usable(facts),
        "inputs": [asdict(found) for found in facts.inputs],
    }
    is_well = all(finding.level != "problem" for finding in findings)
    code = ExitCode.DONE if is_well else ExitCode.FINDINGS
    return Outcome("\n".join(line(finding) for finding in findings), tree, code)


def gather(arguments: argparse.Namespace) -> Facts:
    """Look at everything that the checks ask for."""
    configuration, config = read_configuration(arguments.config, arguments.state)
    asked = arguments.state or (config.state_dir if config else None)
    return Facts(
        system=read_system(),
        memory=read_memory(),
        state=read_folder(state_folder(asked)),
        libraries=read_libraries(),
        numpy=installed_version("numpy"),
        brokers=read_brokers(),
        inputs=read_inputs(arguments.python),
        user=read_user(),
        broker=_ask_broker(arguments, config),
        configuration=configuration,
        service=read_service(),
    )


def _ask_broker(arguments: argparse.Namespace, config: DeviceConfig | None) -> BrokerAnswer | None:
    from agent.doctor.adapters.broker_probe import ask_broker

    named = {name: getattr(arguments, name) for name in ("ca", "cert", "key")}
    if arguments.broker is not None:
        return ask_broker(arguments.broker, **named)
    if config is None:
        return None
    configured = credentials_of(config.broker)
    return ask_broker(
        config.broker.url,
        **{name: value or configured[name] for name, value in named.items()},
        password=password_of(config.broker),
    )


def line(finding: Finding) -> str:
    """Write a finding as one line."""
    remedy = f" — {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:7}  {finding.check:14}  {finding.text}{remedy}"
