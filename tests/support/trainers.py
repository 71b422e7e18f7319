"""Trainer modules under wasmtime and wasm3, as any host would use them."""

from functools import cache

import numpy as np

from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Network
from toolchain.training.trainer import to_trainer

HYPER = ("learning_rate", "momentum", "weight_decay", "mu", "clip")


@cache
def engine(target: str) -> bytes:
    return load(f"trainer-{target}")


def module_of(network: Network, target: str = "simd", name: str = "a network") -> bytes:
    return to_trainer(network, engine(target), name, target)


class Trainer:
    """What all have: views into the module's memory, and calls."""

    def __init__(self) -> None:
        count = {
            name: self.call(f"sv_{name}")
            for name in (
                *("param_count", "example_floats", "label_kind"),
                *("output_floats", "batch_capacity"),
            )
        }
        self.capacity, self.outputs = count["batch_capacity"], count["output_floats"]
        self.parameters = self._view("sv_params", count["param_count"])
        self.anchor = self._view("sv_anchor", count["param_count"])
        self.control = self._view("sv_control", count["param_count"])
        self.hyper = self._view("sv_hyper", 8)
        self.norms = self._view("sv_norms", self.capacity)
        self._examples = self._view("sv_examples", self.capacity * count["example_floats"])
        labels = self._view("sv_labels", self.capacity * max(1, count["label_kind"]))
        self._labels = labels if count["label_kind"] else labels.view(np.int32)
        self.answers = self._view("sv_outputs", self.capacity * self.outputs)

    def _view(self, name: str, floats: int) -> np.ndarray:
        address = self.call(name)
        assert address > 0
        return self.memory[address : address + 4 * floats].view(np.float32)

    def set(self, **numbers: float) -> None:
        for name, number in numbers.items():
            self.hyper[HYPER.index(name)] = number

    def hand_over(self, examples: np.ndarray, labels: np.ndarray) -> int:
        self._examples[: examples.size] = examples.ravel()
        self._labels[: labels.size] = labels.ravel()
        return len(examples)

    def train(self, examples: np.ndarray, labels: np.ndarray) -> float:
        return self.call("sv_train", self.hand_over(examples, labels))

    def evaluate(self, examples: np.ndarray, labels: np.ndarray) -> tuple[float, int, np.ndarray]:
        count = self.hand_over(examples, labels)
        loss = self.call("sv_evaluate", count)
        answers = self.answers[: count * self.outputs].reshape(count, -1).copy()
        return loss, self.call("sv_correct"), answers

    def gradient(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The gradient of the mean loss: what one step of rate 1 takes away."""
        before = self.parameters.copy()
        self.hyper[:5] = 1, 0, 0, 0, self.hyper[4]
        assert np.isfinite(self.train(examples, labels))
        found = before.astype(np.float64) - self.parameters
        self.parameters[:] = before
        return found


class WasmtimeTrainer(Trainer):
    def __init__(self, module: bytes) -> None:
        import wasmtime

        config = wasmtime.Config()
        config.wasm_relaxed_simd = False
        store = wasmtime.Store(wasmtime.Engine(config))
        exports = wasmtime.Instance(store, wasmtime.Module(store.engine, module), []).exports(store)
        self._store, self._exports = store, exports
        size = exports["memory"].data_len(store)
        self.memory = np.frombuffer(exports["memory"].get_buffer_ptr(store, size), np.uint8)
        super().__init__()

    def call(self, name: str, *arguments: int) -> float:
        return self._exports[name](self._store, *arguments)


class Wasm3Trainer(Trainer):
    def __init__(self, module: bytes) -> None:
        import wasm3

        environment = wasm3.Environment()
        self._runtime = environment.new_runtime(65536)
        self._runtime.load(environment.parse_module(module))
        self.memory = np.frombuffer(self._runtime.get_memory(0), np.uint8)
        super().__init__()

    def call(self, name: str, *arguments: int) -> float:
        return self._runtime.find_function(name)(*arguments)


def started(network: Network, target: str = "simd", seed: int = 1) -> WasmtimeTrainer:
    """A trainer under wasmtime with parameters."""
    trainer = WasmtimeTrainer(module_of(network, target))
    trainer.parameters[:] = initial_parameters(network, seed)
    return trainer
