"""Writes the reference from the code: topics, messages, configuration, commands, states.

`make docs` runs it; a test fails when what is committed differs from what it would write.
"""

import argparse
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from firmware_bridge.bridge import states
from selvedge import COMMANDS
from toolchain.lowering.operators.supported import supported
from toolchain.training.network import Network

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change it there. -->\n\n"
NOT_OUR_JSON = {
    BlobChannel: "bytes",
    JobFileChannel: "bytes",
    UpdateChannel: "[CBOR](federated.md)",
}
Schema = dict[str, Any]


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


def document(kind: type) -> str:
    """The keys of a JSON document, and of every object in it."""
    name, text = dashed(kind.__name__), ""
    for title, schema in sections(name, json_schema(kind, open_objects=True)):
        heading = f"## {title}" if title == name else f"### `{title}`"
        source = f" Schema: [{name}.json](schemas/{name}.json)." if title == name else ""
        text += f"\n{heading}\n\n{schema['description']}{source}\n\n"
        text += table(["key", "value", "default", "meaning"], keys(schema))
    return text


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


def sections(title: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object of a schema, with the path that leads to it."""
    if "oneOf" in schema:
        for arm in schema["oneOf"]:
            yield from sections(f"{title} = {arm['properties']['kind']['enum'][0]}", arm)
    elif "properties" in schema:
        yield title, schema
        base = f"{title}." if title else ""
        for key, inner in schema["properties"].items():
            yield from sections(f"{base}{key}", inner)
    elif "properties" in schema.get("items", ()):
        yield from sections(f"{title}[]", schema["items"])
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from sections(f"{title}.<name>", schema["additionalProperties"])


def keys(schema: Schema) -> Iterator[list[str]]:
    """One row for each key of an object: name, value, default, meaning."""
    for key, inner in schema["properties"].items():
        required = key in schema.get("required", ())
        default = inner.get("default")
        shown = (
            "required" if required else f"`{json.dumps(default)}`" if default is not None else ""
        )
        if isinstance(default, dict):
            shown = ""
        meaning = "" if "properties" in inner else inner.get("description", "")
        yield [f"`{key}`", value(inner), shown, meaning]


def value(schema: Schema) -> str:
    """What a key may hold, in words."""
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"] if choice is not None)
    if "oneOf" in schema or "properties" in schema:
        return "object, see below"
    if "anyOf" in schema:
        return " or ".join(value(arm) for arm in schema["anyOf"] if arm.get("type") != "null")
    kinds = schema.get("type", "any")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        entries = bounds(schema, "minItems", "maxItems", " entries")
        return f"list{entries}, each: {value(schema['items'])}"
    if kind == "object":
        inner = value(schema["additionalProperties"]) if schema["additionalProperties"] else ""
        return (
            inner
            if inner.startswith("object")
            else "object" + (f", each: {inner}" if inner else "")
        )
    if kind == "string":
        meaning = f": {schema['$comment']}" if "$comment" in schema else ""
        return "string" + meaning + bounds(schema, "minLength", "maxLength", " characters")
    above = f" above {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""
    return kind + above + bounds(schema, "minimum", "maximum")


def bounds(schema: Schema, lowest: str, highest: str, unit: str = "") -> str:
    """Lower and upper bound in words; bounds that say nothing are left out."""
    low, high = schema.get(lowest), schema.get(highest)
    low = None if unit and low == 0 else low
    high = None if high == 2**53 - 1 else high
    if low is not None and high is not None:
        return f", {low} to {high}{unit}" if low != high else f", {low}{unit}"
    if low is not None:
        return f", at least {low}{unit}"
    return f", at most {high}{unit}" if high is not None else ""


def cli() -> str:
    """Every command with its arguments."""
    text = (
        "# Command line\n\n"
        "Every command takes `--json`: one JSON object on stdout and nothing else there. A\n"
        "refusal is one line on stderr. Exit codes: [exit-codes.md](exit-codes.md).\n"
    )
    for name, (module, meaning) in COMMANDS.items():
        parser = argparse.ArgumentParser(add_help=False)
        importlib.import_module(module).configure(parser)
        # There is no public way to list arguments, and the layout of help differs by version.
        actions = parser._actions
        usage = " ".join([f"selvedge {name}", *map(usage_of, actions)])
        text += (
            f"\n## `selvedge {name}`\n\n{meaning[0].upper()}{meaning[1:]}.\n\n```\n{usage}\n```\n"
        )
        if rows := [argument(action) for action in actions]:
            text += "\n" + table(["argument", "default", "meaning"], rows)
        if parser.epilog:
            text += f"\n{parser.epilog}\n"
    return text


def usage_of(action: argparse.Action) -> str:
    """One argument as in a line of usage."""
    shown = " ".join([*action.option_strings[-1:], *metavar(action)])
    if action.nargs in ("+", "*"):
        shown += " …"
    return shown if is_required(action) else f"[{shown}]"


def is_required(action: argparse.Action) -> bool:
    """Whether a command without this argument is refused; versions of Python differ about `*`."""
    return action.required if action.option_strings else action.nargs not in ("?", "*")


def metavar(action: argparse.Action) -> list[str]:
    """The name of an argument's value, or nothing for a switch."""
    if action.nargs == 0:
        return []
    if action.choices and not action.metavar:
        return ["|".join(map(str, action.choices))]
    return [str(action.metavar or action.dest.upper())]


def argument(action: argparse.Action) -> list[str]:
    """One row about an argument."""
    default = ",".join(action.default) if isinstance(action.default, list) else action.default
    shown = f"`{default}`" if default not in (None, False, "") else ""
    name = " ".join([", ".join(action.option_strings), *metavar(action)]).strip()
    meaning = (action.help or "").replace("%(default)s", str(default))
    return [f"`{name}`", "required" if is_required(action) else shown, meaning]


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


def table(head: list[str], rows: Iterator[list[str]] | list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


def summary(thing: type) -> str:
    """The first sentence of a docstring."""
    return (thing.__doc__ or "").strip().splitlines()[0]


def dashed(name: str) -> str:
    """`ReportedConfig` as `reported-config`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


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
