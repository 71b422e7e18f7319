"""`selvedge doctor`."""

import argparse
from dataclasses import asdict

from agent.adapters.config_files import state_folder
from agent.doctor.adapters.inputs import read_inputs
from agent.doctor.adapters.machine import read_folder, read_memory, read_system, read_user
from agent.doctor.adapters.programs import installed_version, read_brokers, read_libraries
from agent.doctor.checks import Finding, examine, usable
from agent.doctor.facts import Facts
from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--broker", metavar="URL", help="also connect to mqtt://host[:port]")
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
    runtimes = usable(facts)
    tree = {
        "findings": [asdict(finding) for finding in findings],
        "runtimes": runtimes,
        "inputs": [asdict(found) for found in facts.inputs],
    }
    code = ExitCode.DONE if runtimes else ExitCode.UNAVAILABLE
    return Outcome("\n".join(line(finding) for finding in findings), tree, code)


def gather(arguments: argparse.Namespace) -> Facts:
    """Look at everything that the checks ask for."""
    answer = None
    if arguments.broker is not None:
        from agent.doctor.adapters.broker_probe import ask_broker

        answer = ask_broker(
            arguments.broker, ca=arguments.ca, cert=arguments.cert, key=arguments.key
        )
    return Facts(
        system=read_system(),
        memory=read_memory(),
        state=read_folder(state_folder(arguments.state)),
        libraries=read_libraries(),
        numpy=installed_version("numpy"),
        brokers=read_brokers(),
        inputs=read_inputs(arguments.python),
        user=read_user(),
        broker=answer,
    )


def line(finding: Finding) -> str:
    """Write a finding as one line."""
    remedy = f" — {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:7}  {finding.check:14}  {finding.text}{remedy}"
