"""Writes the reference from the code: topics, messages, configuration, commands, states.

`make docs` runs it; a test fails when what is committed differs from what it would write.
"""

import json
import re
from pathlib import Path

from agent.config.device import DeviceConfig, local_only, remote_schema
from agent.control import supervisor
from agent.models import table as installation
from broker.aggregator.job import machine as job_machine
from broker.aggregator.round import machine as round_machine
from broker.contract import blob_download
from broker.contract.bundle import manifest as bundle_manifest
from broker.contract.bundle.manifest import Manifest
from broker.contract.exit_code import MEANINGS
from broker.contract.federated.channels import BlobChannel, JobFileChannel, UpdateChannel
from broker.contract.federated.participant import machine
from broker.contract.messages import MESSAGES
from broker.contract.shape import json_schema
from broker.contract.topics import CHANNELS, DEFAULT_PREFIX
from docs.commands import cli
from docs.schemas import document, keys, sections
from docs.tables import dashed, summary, table
from firmware_bridge.bridge import states
from toolchain.lowering.operators.supported import supported
from toolchain.training.network import Network

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change it there. -->\n\n"
NOT_OUR_JSON = {
    BlobChannel: "bytes",
    JobFileChannel: "bytes",
    UpdateChannel: "[CBOR](federated.md)",
}


def documents() -> dict[str, str]:
    """Every generated file by its name under `docs/reference`."""
    schemas = {
        dashed(kind.__name__): json_schema(kind, open_objects=True) for kind in MESSAGES.values()
    }
    schemas |= {"config": json_schema(DeviceConfig), "config-remote": remote_schema()}
    schemas |= {"network": json_schema(Network)}
    schemas |= {"manifest": json_schema(Manifest, open_objects=True)}
    return {
        "mqtt.md": NOTE + mqtt(),
        "manifest.md": NOTE + manifest(),
        "config.md": NOTE + config(),
        "cli.md": NOTE + cli(),
        "exit-codes.md": NOTE + exit_codes(),
        "operators.md": NOTE + operators(),
        "state-machines.md": NOTE + state_machines(),
        **{
            f"schemas/{name}.json": json.dumps({"title": name, **schema}, indent=2) + "\n"
            for name, schema in schemas.items()
        },
    }


def mqtt() -> str:
    """Topics, and the keys of each message."""
    rows = []
    for channel in CHANNELS:
        message = MESSAGES.get(channel)
        name = dashed(message.__name__) if message else ""
        link = f"[{name}](#{name})" if name else NOT_OUR_JSON.get(channel, "JSON")
        topic = re.sub(r"{(\w+)}", r"<\1>", channel.pattern)
        retained = "yes" if channel.retained else "no"
        rows.append([f"`{topic}`", retained, " or ".join(channel.writers), link, summary(channel)])
    text = (
        "# MQTT topics and messages\n\n"
        f"Topics stand under a prefix, `{DEFAULT_PREFIX}` unless configured otherwise. Names in\n"
        "angle brackets match `[a-z0-9_-]{1,64}`; round, shard, slice, bucket and chunk are plain\n"
        "decimal numbers. Messages are JSON unless the table says otherwise, QoS 1. Receivers\n"
        "ignore keys that they do not know, except in a job, which is refused then; a key that is\n"
        "left out and `null` mean the same.\n\n"
        + table(["topic", "retained", "written by", "message", "meaning"], rows)
    )
    return text + "".join(map(document, MESSAGES.values()))


def manifest() -> str:
    """The keys of a manifest."""
    about = (bundle_manifest.__doc__ or "").strip().split("\n\n")
    about += [(bundle_manifest.Golden.__doc__ or "").strip().split("\n\n")[1]]
    text = "\n\n".join(" ".join(part.split()) for part in about)
    return f"# The manifest of a model\n\n{text}\n{document(Manifest)}"


def config() -> str:
    """Every key of the configuration."""
    text = (
        "# Configuration\n\n"
        "Read from `/etc/selvedge/*.toml`; `selvedge config show` prints what is in force and\n"
        "where each value comes from. Keys marked * are set on the device itself only, all others\n"
        "over MQTT as well. Schemas: [config.json](schemas/config.json), and\n"
        "[config-remote.json](schemas/config-remote.json) for what MQTT may set.\n"
    )
    for title, schema in sections("", json_schema(DeviceConfig)):
        path = tuple(title.partition(" ")[0].replace("<name>", "*").split(".")) if title else ()
        rows = [[mark(key, path), *rest] for key, *rest in keys(schema)]
        heading = f"`{title}`" if title else "The device"
        text += f"\n## {heading}\n\n{schema['description']}\n\n"
        text += table(["key", "value", "default", "meaning"], rows)
    return text


def mark(key: str, path: tuple[str, ...]) -> str:
    """The key with a star if MQTT may not set it."""
    return f"{key} *" if local_only((*path, key.strip("`"))) else key


def exit_codes() -> str:
    """The exit codes that every command shares."""
    rows = [[str(int(code)), code.name.lower(), meaning] for code, meaning in MEANINGS.items()]
    return "# Exit codes\n\n" + table(["code", "name", "meaning"], rows)


def state_machines() -> str:
    """The state machines, each drawn from the table that drives it."""
    drawn = (
        ("A pipeline", "The states are those of `status`.", supervisor.diagram()),
        (
            "A microcontroller",
            "As the bridge sees it ([why](../explain/bridge.md)). `status` says `ready` while one "
            "runs.",
            states.diagram(),
        ),
        (
            "A device in a federated job",
            "One for each job; see `broker/contract/federated/participant`.",
            machine.diagram(),
        ),
        (
            "A round at the aggregator",
            "See `broker/aggregator/round`.",
            round_machine.diagram(),
        ),
        (
            "A job at the aggregator",
            "The states are those of `fl/<job>/status`; see `broker/aggregator/job`.",
            job_machine.diagram(),
        ),
        (
            "The download of a blob",
            "See `broker/contract/blob_download.py`.",
            blob_download.diagram(),
        ),
        (
            "An installation",
            "One pipeline's way to a model that a job shipped, and back "
            "([why](../explain/models.md)).",
            installation.diagram(),
        ),
    )
    text = (
        "# State machines\n\n"
        "What can happen, and what is done about it; what is not drawn changes nothing.\n"
    )
    for title, about, drawing in drawn:
        text += f"\n## {title}\n\n{about}\n\n```mermaid\n{drawing}```\n"
    return text


def operators() -> str:
    """What the engine runs, by operator and element type."""
    return (
        "# Operators of the engine\n\n"
        "What `convert` lowers; everything else is refused with its name and position. `int16` is\n"
        "int16 activations with int8 weights. Operators of *any* type move elements: float32,\n"
        "int32, int16, int8, and quantized uint8. RESIZE_BILINEAR has arithmetic of its own for\n"
        "uint8, which is not supported.\n\n"
        + table(
            ["operator", "any", "int8", "uint8", "int16", "float32"],
            [[f"`{one.name}`", *("yes" if has else "" for has in one.has)] for one in supported()],
        )
    )


def main() -> None:
    """Write what differs, and remove schemas that no longer exist."""
    wanted = documents()
    (REFERENCE / "schemas").mkdir(parents=True, exist_ok=True)
    for path in REFERENCE.glob("schemas/*.json"):
        if str(path.relative_to(REFERENCE)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
