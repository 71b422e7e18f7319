"""Non-maximum suppression: of overlapping boxes of one class only the strongest stays."""

import numpy as np

from agent.pipeline.postprocess.dequantize import Indices
from agent.pipeline.sample import Floats


def suppress(boxes: Floats, scores: Floats, classes: Indices, iou: float, limit: int) -> Indices:
    """Return which boxes stay, strongest first, equal ones in their order.

    Greedy: the strongest box left stays, and every weaker one of its class whose intersection over
    union with it exceeds `iou` goes.

    Args:
        boxes: [n, 4] as x0, y0, x1, y1.
        scores: [n].
        classes: [n].
        iou: 0 to 1.
        limit: most boxes to keep.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < limit:
        strongest, left = int(left[0]), left[1:]
        kept.append(strongest)
        box, others = boxes[strongest], boxes[left]
        sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
        common = np.maximum(sides, 0).prod(axis=1)
        union = areas[strongest] + areas[left] - common
        # Without a division: two boxes without area have nothing in common.
        goes = (common > iou * union) & (classes[left] == classes[strongest])
        left = left[~goes]
    return np.array(kept, np.intp)
