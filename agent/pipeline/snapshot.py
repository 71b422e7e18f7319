"""What a pipeline saw last, small enough for one MQTT message."""

from base64 import b64encode
from io import BytesIO
from typing import Any

from agent.pipeline.answers import legible
from agent.pipeline.sample import Sample

MAX_JPEG_BYTES = 44 * 1024
"""With base64 and the rest of the command's answer it stays below 64 kB."""

MAX_VALUES = 256
QUALITIES = (85, 70, 50, 30)
SMALLEST_SIDE = 32


def snapshot(sample: Sample | None, latest: dict[str, Any]) -> dict[str, Any]:
    """Describe the last input and answer: a picture as JPEG, anything else by its first values."""
    if sample is None:
        return {"input": None, "outputs": latest}
    data = sample.data
    seen: dict[str, Any] = {"shape": list(data.shape), "dtype": str(data.dtype)}
    if sample.id is not None:
        seen["id"] = legible(sample.id)
    if data.dtype.name == "uint8" and data.ndim == 3 and data.shape[2] in (1, 3):
        seen["jpeg_base64"] = b64encode(_jpeg(data)).decode("ascii")
    else:
        values = data.reshape(-1)[:MAX_VALUES].tolist()
        seen["values"] = [value if value - value == 0 else None for value in values]
    return {"input": seen, "outputs": latest}


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    while True:
        for quality in QUALITIES:
            out = BytesIO()
            image.save(out, "JPEG", quality=quality)
            if out.tell() <= MAX_JPEG_BYTES:
                return out.getvalue()
        if min(image.size) <= SMALLEST_SIDE:
            return out.getvalue()
        image = image.reduce(2)
