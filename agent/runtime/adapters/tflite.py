"""Runtime `tflite`: ai-edge-litert, or tflite-runtime where there is no wheel of it."""

import importlib
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError, UnavailableError
from agent.runtime.adapters.installed import version
from agent.runtime.operators import Operator, macs
from agent.runtime.protocol import RuntimeInfo, TensorInfo

DELEGATES = {
    "xnnpack": "AUTO",
    "none": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
"""Delegates by name, with the operator set that the library has for each; anything else is the
path of an external delegate, a shared library."""


class TfliteModel:
    """A TFLite model that is ready to answer; see `LoadedModel`."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def __init__(
        self,
        data: bytes,
        library: str,
        threads: int = 1,
        delegate: str = "xnnpack",
        delegate_options: Mapping[str, str] | None = None,
    ) -> None:
        """Build the interpreter from the bytes of a checked model.

        Raises:
            ModelError: the runtime refuses the model, or it has tensors without a fixed shape.
            UnavailableError: the library or the delegate cannot be loaded here.
        """
        module = import_library(library)
        kind = "external" if delegate not in DELEGATES else delegate
        external = _external(module, delegate, delegate_options or {}) if kind == "external" else []
        try:
            interpreter = module.Interpreter(
                model_content=data,
                num_threads=threads,
                experimental_delegates=external,
                experimental_op_resolver_type=getattr(
                    module.OpResolverType, DELEGATES.get(delegate, "AUTO")
                ),
            )
            interpreter.allocate_tensors()
            found = interpreter.get_input_details(), interpreter.get_output_details()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelError(f"the runtime refuses the model: {_line(error)}") from None
        except SystemError as error:
            raise UnavailableError(f"{library} fails: {_line(error)}{_remedy(library)}") from None
        self._info = RuntimeInfo("tflite", _detail(library, kind), threads)
        self._interpreter = interpreter
        self._invoke = interpreter.invoke
        self.inputs, self.outputs = (tuple(map(_tensor_info, details)) for details in found)
        self._input_views, self._output_views = (
            [interpreter.tensor(detail["index"]) for detail in details] for details in found
        )

    def info(self) -> RuntimeInfo:
        """Say what serves the model."""
        return self._info

    def macs(self) -> int | None:
        """Count the multiply-accumulates of one run."""
        return macs(self.operators())

    def input_view(self, index: int) -> NDArray[Any]:
        """Return a writable view of an input."""
        return self._input_views[index]()  # type: ignore[no-any-return]

    def invoke(self) -> None:
        """Compute the outputs from the inputs."""
        try:
            self._invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"the runtime failed: {_line(error)}") from None

    def output_view(self, index: int) -> NDArray[Any]:
        """Return a view of an output, valid until the next `invoke`.

        Raises:
            ModelError: the shape depends on the input, which shows only now.
        """
        view: NDArray[Any] = self._output_views[index]()
        if view.shape != self.outputs[index].shape:
            raise _not_fixed(self.outputs[index].name)
        return view

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy `inputs` in, invoke, and copy the outputs out."""
        if len(inputs) != len(self.inputs):
            raise ModelError(f"the model wants {len(self.inputs)} inputs, got {len(inputs)}")
        for index, (info, array) in enumerate(zip(self.inputs, inputs, strict=True)):
            info.check(array)
            self.input_view(index)[...] = array
        self.invoke()
        return [self.output_view(index).copy() for index in range(len(self.outputs))]

    def operators(self) -> list[Operator]:
        """List the model's operators with the shapes around them, for counting arithmetic."""
        graph = self._interpreter._get_ops_details()
        shapes = {
            detail["index"]: tuple(map(int, detail["shape"]))
            for detail in self._interpreter.get_tensor_details()
        }
        return [
            Operator(
                step["op_name"],
                tuple(shapes.get(int(index), ()) for index in step["inputs"]),
                tuple(shapes.get(int(index), ()) for index in step["outputs"]),
            )
            for step in graph
        ]


def _detail(library: str, kind: str) -> str:
    if library == "tflite_runtime" and kind == "xnnpack":
        kind = "its default kernels"  # 2.14 does not put XNNPACK under int8 models
    return f"{library} {version(library)}, {kind}"


def import_library(library: str) -> ModuleType:
    """Import the interpreter of a library.

    Raises:
        UnavailableError: it is not there, or does not go with what else is.
    """
    try:
        return importlib.import_module(f"{library}.interpreter")
    except (ImportError, OSError, AttributeError, SystemError) as error:
        raise UnavailableError(
            f"{library} cannot be imported: {_line(error)}{_remedy(library)}"
        ) from None


def _remedy(library: str) -> str:
    major = int(np.__version__.split(".", maxsplit=1)[0])
    if library == "tflite_runtime" and major >= 2:
        return f"; it needs numpy<2, here is {np.__version__}: pip install 'numpy<2'"
    return ""


def _external(module: ModuleType, path: str, options: Mapping[str, str]) -> list[Any]:
    if not Path(path).is_file():
        known = ", ".join(DELEGATES)
        raise UnavailableError(f"delegate {path} is neither a file nor one of {known}")
    try:
        return [module.load_delegate(path, dict(options))]
    except (OSError, ValueError, AttributeError, RuntimeError) as error:
        raise UnavailableError(f"delegate {path} cannot be loaded: {_line(error)}") from None


def _tensor_info(detail: dict[str, Any]) -> TensorInfo:
    name, shape, dtype = detail["name"], tuple(map(int, detail["shape"])), np.dtype(detail["dtype"])
    if dtype.kind not in "biuf":
        raise ModelError(f"tensor {name} holds {dtype.name}, which is not supported")
    if prod(shape) == 0:
        raise _not_fixed(name)
    scale, zero_point = detail["quantization"]
    return TensorInfo(name, shape, dtype.name, float(scale), int(zero_point))


def _not_fixed(name: str) -> ModelError:
    return ModelError(f"tensor {name} has no fixed shape; export the model with fixed shapes")


def _line(error: BaseException) -> str:
    """The last line of a runtime's complaint, which names the node."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
