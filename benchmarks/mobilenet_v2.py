"""Write the MobileNetV2 models that `runtimes.py` measures into `.cache/models`."""

import json
import time
from pathlib import Path

from benchmarks.models.network import build
from benchmarks.models.precision import PRECISIONS, to_model
from toolchain.inspect.macs import macs
from toolchain.tflite.model import Model
from toolchain.tflite.writer import write

FOLDER = Path(__file__).parents[1] / ".cache" / "models"
SIZES = ((1.0, 224), (0.35, 96))


def models(width: float, size: int) -> dict[str, Model]:
    """Make one network in every precision; the keys are such as mobilenet_v2_0.35_96_int8."""
    nodes = build(width, size)
    names = {one: f"mobilenet_v2_{width}_{size}_{one}" for one in PRECISIONS}
    return {name: to_model(nodes, precision, name) for precision, name in names.items()}


def main() -> None:
    """Print one JSON object."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for width, size in SIZES:
        began = time.perf_counter()
        made = models(width, size)
        seconds = round(time.perf_counter() - began, 2)
        for name, model in made.items():
            path = FOLDER / f"{name}.tflite"
            data = write(model)
            path.write_bytes(data)
            work = sum(macs(model.main, operator) for operator in model.main.operators)
            row = {"model": name, "bytes": len(data), "macs": work, "network_made_in_s": seconds}
            rows.append({**row, "file": str(path)})
    print(json.dumps({"benchmark": "mobilenet_v2", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
