"""Bytes from outside to a `Model`, with everything checked before it is believed."""

from itertools import pairwise

from toolchain.errors import ModelRefused
from toolchain.tflite.calls import check_calls
from toolchain.tflite.flatbuffer import Source, Table
from toolchain.tflite.graph_order import check_order
from toolchain.tflite.model import Graph, Model, Signature
from toolchain.tflite.operator_shapes import check_shapes
from toolchain.tflite.operators import OperatorCode, read_code, read_indices, read_operator
from toolchain.tflite.tensors import read_tensor

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
MAX_FILE_BYTES = 512 << 20
MAX_GRAPHS = 64
MAX_TENSORS = 16_384
MAX_OPERATORS = 8192
MAX_SIGNATURES = 64
_FOREIGN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "an ELF program"),
    (b"\x00asm", "a wasm module"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer"),
    (b"<", "an HTML or XML page"),
)


def read(data: bytes | bytearray | memoryview) -> Model:
    """Read a model; its constants are views into `data`, which must not change afterwards.

    Raises:
        ModelRefused: not TFLite, truncated, or untrue about itself; the text is one line that
            names the place.
    """
    view = memoryview(data).cast("B").toreadonly()
    _check_header(view)
    source = Source(view)
    (root,) = source.unpack("I", 0, "root")
    table = Table(source, root, "model")
    version = table.scalar(0, "I", 0)
    if version != SCHEMA_VERSION:
        raise ModelRefused(f"model: schema version {version}, only {SCHEMA_VERSION} is known")
    codes = [read_code(code) for code in table.tables(1, "operator code", MAX_OPERATORS)]
    buffers = _buffers(table, view)
    graphs = tuple(_graph(graph, buffers, codes) for graph in table.tables(2, "graph", MAX_GRAPHS))
    if not graphs:
        raise ModelRefused("model: has no graph")
    check_calls(graphs)
    signatures = tuple(
        _signature(signature, graphs) for signature in table.tables(7, "signature", MAX_SIGNATURES)
    )
    return Model(graphs, table.text(3), signatures)


def _check_header(view: memoryview) -> None:
    if not view:
        raise ModelRefused("the file is empty; copy or export it again")
    if len(view) > MAX_FILE_BYTES:
        raise ModelRefused(f"{len(view)} bytes, more than the limit of {MAX_FILE_BYTES}")
    if view[4:8] == IDENTIFIER:
        return
    start = bytes(view[:32])
    guess = next((f"this is {name}; " for magic, name in _FOREIGN if start.startswith(magic)), "")
    raise ModelRefused(f"not a TFLite model: {guess}byte 4 has no 'TFL3'; name a .tflite file")


def _buffers(table: Table, view: memoryview) -> list[memoryview | None]:
    buffers = [
        _buffer(buffer, view) for buffer in table.tables(4, "buffer", MAX_GRAPHS * MAX_TENSORS)
    ]
    if buffers and buffers[0] is not None:
        raise ModelRefused("buffer 0: holds data, but is the one that means 'no data'")
    return buffers


def _buffer(table: Table, view: memoryview) -> memoryview | None:
    # Files beyond 2 GB keep constants behind the flatbuffer; 0 and 1 are placeholders there.
    start, size = table.scalar(1, "Q", 0), table.scalar(2, "Q", 0)
    if start <= 1:
        return table.data(0)
    if start + size > len(view):
        raise ModelRefused(f"{table.where}: {size} bytes at {start} lie outside the file")
    return view[start : start + size] or None


def _graph(table: Table, buffers: list[memoryview | None], codes: list[OperatorCode]) -> Graph:
    tensors = tuple(
        read_tensor(tensor, buffers) for tensor in table.tables(0, "tensor", MAX_TENSORS)
    )
    graph = Graph(
        tensors=tensors,
        operators=tuple(
            read_operator(operator, codes, len(tensors))
            for operator in table.tables(3, "operator", MAX_OPERATORS)
        ),
        inputs=read_indices(table, 1, len(tensors)),
        outputs=read_indices(table, 2, len(tensors)),
        name=table.text(4),
    )
    if any(first == second for first, second in pairwise(sorted(graph.inputs))):
        raise ModelRefused(f"{table.where}: an input is listed twice")
    check_order(graph)
    check_shapes(graph)
    return graph


def _signature(table: Table, graphs: tuple[Graph, ...]) -> Signature:
    number = table.scalar(4, "I", 0)
    if number >= len(graphs):
        raise ModelRefused(f"{table.where}: graph {number} of {len(graphs)} does not exist")
    count = len(graphs[number].tensors)
    return Signature(table.text(2), number, _names(table, 0, count), _names(table, 1, count))


def _names(table: Table, slot: int, tensor_count: int) -> tuple[tuple[str, int], ...]:
    pairs = []
    for entry in table.tables(slot, f"{table.where} argument", MAX_TENSORS):
        index = entry.scalar(1, "I", 0)
        if index >= tensor_count:
            raise ModelRefused(f"{entry.where}: tensor {index} of {tensor_count} does not exist")
        pairs.append((entry.text(0), index))
    return tuple(pairs)
