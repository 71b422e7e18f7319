"""Dataclasses as the shape of JSON from outside: parse into them, and publish their JSON Schema."""

from broker.contract.shape.constraints import Doc, Length, Pattern, Range
from broker.contract.shape.json_schema import json_schema
from broker.contract.shape.parse import Fault, parse
from broker.contract.shape.tree import to_tree

__all__ = ["Doc", "Fault", "Length", "Pattern", "Range", "json_schema", "parse", "to_tree"]
