"""Boxes of three formats, and suppression, against plain definitions and OpenCV."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.processing import DetectPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess import build_postprocessor
from agent.pipeline.postprocess.bounds import MAX_RESULT_BYTES
from agent.pipeline.postprocess.candidates import MAX_CANDIDATES
from agent.pipeline.postprocess.nms import suppress
from agent.runtime.protocol import TensorInfo

INPUT = TensorInfo("x", (1, 100, 200, 3), "int8", 1 / 255, -128)


def detector(outputs, anchors=None, model_input=INPUT, **settings):
    config = DetectPostprocess("detect", **settings)
    return build_postprocessor(config, outputs, model_input, anchors=anchors)


def random_boxes(seed: int, count: int, classes: int = 3):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate((low, low + rng.uniform(0.05, 0.5, (count, 2))), axis=1)
    scores = rng.choice(np.linspace(0.01, 0.99, 999), count, replace=False)
    return boxes.astype(np.float32), scores.astype(np.float32), rng.integers(0, classes, count)


def overlap(a, b) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / area if area else 0.0


def naive(boxes, scores, classes, iou, limit) -> list[int]:
    kept: list[int] = []
    for one in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        rivals = [other for other in kept if classes[other] == classes[one]]
        if all(overlap(boxes[other], boxes[one]) <= iou for other in rivals):
            kept.append(one)
    return kept[:limit]


@given(st.integers(0, 9999), st.integers(0, 60), st.sampled_from([0.0, 0.31, 0.5, 0.77, 1.0]))
def test_suppression_is_its_definition(seed, count, iou):
    boxes, scores, classes = random_boxes(seed, count)
    ours = suppress(boxes, scores, classes, iou, 20)
    assert ours.tolist() == naive(boxes.astype(float), scores, classes, iou, 20)


@given(st.integers(0, 9999), st.integers(1, 60), st.sampled_from([0.31, 0.5, 0.77]))
def test_suppression_is_that_of_opencv(seed, count, iou):
    boxes, scores, classes = random_boxes(seed, count)
    sides = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1).astype(float)
    reference = cv2.dnn.NMSBoxesBatched(sides.tolist(), scores.tolist(), classes.tolist(), 0.0, iou)
    ours = suppress(boxes, scores, classes, iou, 1000)
    assert ours.tolist() == sorted(np.ravel(reference).tolist(), key=lambda i: -scores[i])


@pytest.mark.filterwarnings("error")
def test_boxes_without_area_suppress_nobody():
    boxes = np.array([[0.5, 0.5, 0.5, 0.5]] * 3, np.float32)
    classes = np.zeros(3, np.intp)
    assert len(suppress(boxes, np.ones(3, np.float32), classes, 0.5, 9)) == 3


# TFLite's operator

TFLITE = {
    "boxes": np.array([[[0.1, 0.2, 0.5, 0.6], [-0.2, 0.5, 0.4, 1.3], [0, 0, 1, 1]]], np.float32),
    "classes": np.array([[1, 0, 1]], np.float32),
    "scores": np.array([[0.9, 0.6, 0.8]], np.float32),
    "count": np.array([2], np.float32),
}
FOUND = [
    {"label": "dog", "index": 1, "score": 0.9, "box": [0.2, 0.1, 0.6, 0.5]},
    {"label": "cat", "index": 0, "score": 0.6, "box": [0.5, 0.0, 1.0, 0.4]},
]
OPERATOR = "TFLite_Detection_PostProcess"
EXPORTER = "StatefulPartitionedCall"


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (["boxes", "classes", "scores", "count"], [OPERATOR] + [f"{OPERATOR}:{n}" for n in "123"]),
        (["boxes", "classes", "scores", "count"], ["a", "b", "c", "d"]),
        (["scores", "boxes", "count", "classes"], [f"{EXPORTER}:{n}" for n in "1302"]),
        (["scores", "boxes", "count", "classes"], ["a", "b", "c", "d"]),
        (["count", "classes", "boxes", "scores"], [f"{EXPORTER}:{n}" for n in "0231"]),
        (["count", "scores", "classes", "boxes"], ["n", "detection_scores", "y", "z"]),
        (["classes", "scores", "count", "boxes"], ["detection_classes", "x", "y", "z"]),
        (["count", "scores", "classes", "boxes"], ["n", f"{OPERATOR}:2", f"{OPERATOR}:1", "b"]),
    ],
)
def test_outputs_of_the_operator_in_any_order(order, names):
    infos = [
        TensorInfo(name, TFLITE[part].shape, "float32")
        for part, name in zip(order, names, strict=True)
    ]
    postprocessor = detector(infos, labels=("cat", "dog"))
    tree = postprocessor.result([TFLITE[part] for part in order], None)
    assert tree == {"task": "detect", "boxes": FOUND}


@pytest.mark.parametrize("count", [1, 4])
def test_shapes_that_could_be_mistaken(count):
    rng = np.random.default_rng(3)
    boxes = np.sort(rng.uniform(0, 1, (1, count, 2, 2)), axis=2).reshape(1, count, 4)
    arrays = [boxes, np.full((1, count), 7), np.full((1, count), 0.75), np.array([count])]
    arrays = [array.astype(np.float32) for array in arrays]
    infos = [TensorInfo(f"{OPERATOR}:{i}", a.shape, "float32") for i, a in enumerate(arrays)]
    tree = detector(infos).result(arrays, None)
    assert [box["label"] for box in tree["boxes"]] == ["7"] * count
    assert [box["score"] for box in tree["boxes"]] == [0.75] * count


def tflite_infos(found: int):
    shapes = (1, found, 4), (1, found), (1, found), (1,)
    return [TensorInfo(f"{OPERATOR}:{i}", shape, "float32") for i, shape in enumerate(shapes)]


@settings(max_examples=80)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["tflite", "yolo", "ssd"]))
@pytest.mark.filterwarnings("error")
def test_no_output_makes_a_result_that_is_not_json(seed, form):
    """Any bits as float32: NaN, infinity, denormals, the widest numbers."""
    rng = np.random.default_rng(seed)

    def bits(*shape):
        wild = rng.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
        tame = rng.uniform(-1, 2, shape).astype(np.float32)
        return np.where(rng.random(shape) < rng.choice([0.02, 0.5]), wild, tame)

    if form == "tflite":
        infos = tflite_infos(6)
    elif form == "yolo":
        infos = [TensorInfo("y", (1, 30, 7), "float32")]
    else:
        infos = [TensorInfo("b", (1, 30, 4), "float32"), TensorInfo("s", (1, 30, 3), "float32")]
    anchors = rng.uniform(0.1, 1, (30, 4)).astype(np.float32)
    activation = str(rng.choice(["none", "softmax", "sigmoid"]))
    postprocessor = detector(infos, anchors, format=form, activation=activation, threshold=0.1)
    arrays = [bits(*info.shape) for info in infos]
    tree = postprocessor.result(arrays, None)
    assert len(json.dumps(tree, allow_nan=False)) <= MAX_RESULT_BYTES
    for box in tree["boxes"]:
        x0, y0, x1, y1 = box["box"]
        assert 0 <= x0 <= x1 <= 1
        assert 0 <= y0 <= y1 <= 1
        assert box["score"] >= 0.1


def test_counts_and_classes_out_of_range():
    arrays = [array.copy() for array in TFLITE.values()]
    postprocessor = detector(tflite_infos(3), labels=("cat",))
    arrays[3][0] = 99
    assert len(postprocessor.result(arrays, None)["boxes"]) == 3
    arrays[3][0] = -1
    assert postprocessor.result(arrays, None) == {"task": "detect", "boxes": []}
    arrays[3][0] = np.nan
    assert postprocessor.result(arrays, None) == {"task": "detect", "boxes": [], "finite": False}
    arrays[3][0], arrays[1][0, 0] = 3, -7
    labels = {box["label"] for box in postprocessor.result(arrays, None)["boxes"]}
    assert labels == {"-7", "cat", "1"}


def test_only_results_with_a_box():
    postprocessor = detector(tflite_infos(3), report="present", threshold=0.95)
    arrays = [array.copy() for array in TFLITE.values()]
    assert postprocessor.result(arrays, None) is None
    arrays[2][0, 0] = 0.96
    assert len(postprocessor.result(arrays, None)["boxes"]) == 1


# YOLO


def yolo_table(seed: int, count: int, scores: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres, sizes = rng.uniform(0.2, 0.8, (count, 2)), rng.uniform(0.1, 0.5, (count, 2))
    return np.concatenate((centres, sizes, rng.uniform(0, 1, (count, scores))), axis=1)


def plain_yolo(table, objectness, threshold, iou, limit):
    boxes, scores, classes = [], [], []
    for x, y, width, height, *rest in table.tolist():
        own, given = (rest[0], rest[1:]) if objectness else (1.0, rest)
        best = max(given)
        if own * best >= threshold:
            boxes.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
            scores.append(own * best)
            classes.append(given.index(best))
    return [
        (classes[i], round(scores[i], 4), [round(min(max(e, 0), 1), 4) for e in boxes[i]])
        for i in naive(boxes, scores, classes, iou, limit)
    ]


@settings(max_examples=60)
@given(
    st.integers(0, 9999),
    st.integers(1, 50),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["float32", "int8", "uint8", "int16"]),
    st.booleans(),
)
def test_yolo_is_its_definition(seed, count, classes, objectness, columns, dtype, pixels):
    if count == 4 + objectness + classes:
        return  # square: told apart by nothing
    table = yolo_table(seed, count, classes + objectness)
    if pixels:
        table[:, :4] *= [200, 100, 200, 100]
    if dtype == "float32":
        info, stored = TensorInfo("y", (), dtype), table.astype(np.float32)
        read = stored.astype(np.float64)
    else:
        limits = np.iinfo(dtype)
        scale = (210 if pixels else 1.01) / (int(limits.max) - int(limits.min))
        info = TensorInfo("y", (), dtype, scale, int(limits.min))
        stored = np.rint(table / scale + limits.min).astype(dtype)
        read = (stored.astype(np.float64) - limits.min) * np.float32(scale)
    if pixels:
        read[:, :4] /= [200, 100, 200, 100]
    array = (stored.T if columns else stored)[np.newaxis]
    info = TensorInfo("y", array.shape, dtype, info.scale, info.zero_point)
    postprocessor = detector(
        [info],
        format="yolo",
        labels=tuple("abcd"[:classes]),
        objectness=objectness,
        coordinates="pixels" if pixels else "normalised",
        threshold=0.3003,
        iou=0.4503,
    )
    ours = postprocessor.result([np.ascontiguousarray(array)], None)["boxes"]
    expected = plain_yolo(read, objectness, 0.3003, 0.4503, 20)
    assert [box["index"] for box in ours] == [index for index, _, _ in expected]
    for box, (_, score, edges) in zip(ours, expected, strict=True):
        assert box["score"] == pytest.approx(score, abs=2e-4)
        assert box["box"] == pytest.approx(edges, abs=2e-4)


def test_sigmoid_and_softmax_heads():
    logits = np.array([[0.5, 0.5, 0.2, 0.2, 2.0, -1.0, 0.0]], np.float32)[np.newaxis]
    info = [TensorInfo("y", logits.shape, "float32")]
    for activation, score in (("sigmoid", 0.8808), ("softmax", 0.8438)):
        settings = {"format": "yolo", "labels": ("a", "b", "c"), "activation": activation}
        (box,) = detector(info, **settings).result([logits], None)["boxes"]
        assert box == {"label": "a", "index": 0, "score": score, "box": [0.4, 0.4, 0.6, 0.6]}
        assert not detector(info, threshold=score + 1e-4, **settings).result([logits], None)[
            "boxes"
        ]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.filterwarnings("error")
def test_thresholds_at_the_ends(threshold, activation):
    table = np.full((1, 2000, 5), 0.5, np.float32)
    table[0, :, 0] = np.linspace(0, 1, 2000)
    table[0, 7, 4] = 90
    info = [TensorInfo("y", table.shape, "float32")]
    settings = {"format": "yolo", "activation": activation, "limit": 100, "iou": 1.0}
    boxes = detector(info, threshold=threshold, **settings).result([table], None)["boxes"]
    assert boxes
    assert all(box["score"] >= threshold for box in boxes)


def test_more_proposals_than_bounded_are_cut_to_the_strongest():
    count = MAX_CANDIDATES * 3
    table = np.zeros((1, count, 5), np.float32)
    table[0, :, :2] = np.linspace(0.1, 0.9, count)[:, np.newaxis]
    table[0, :, 2:4] = 1e-4
    table[0, :, 4] = np.random.default_rng(0).permutation(np.linspace(0.6, 0.9, count))
    info = [TensorInfo("y", table.shape, "float32")]
    boxes = detector(info, format="yolo", limit=100).result([table], None)["boxes"]
    best = np.sort(table[0, :, 4])[::-1][:100]
    np.testing.assert_allclose([box["score"] for box in boxes], best, atol=1e-4)


# SSD


def test_ssd_is_its_definition():
    """The box coder of the SSD papers: centre by offset, size by exponential."""
    rng = np.random.default_rng(11)
    anchors = np.concatenate((rng.uniform(0.3, 0.7, (40, 2)), rng.uniform(0.1, 0.3, (40, 2))), 1)
    encoded, logits = rng.normal(0, 1, (1, 40, 4)), rng.normal(-1, 2, (1, 40, 4))
    infos = [TensorInfo("s", (1, 40, 4), "float32"), TensorInfo("boxes", (1, 40, 4), "float32")]
    postprocessor = detector(
        infos, anchors, format="ssd", labels=tuple("abc"), activation="sigmoid", iou=0.6
    )
    arrays = [logits.astype(np.float32), encoded.astype(np.float32)]
    ours = postprocessor.result(arrays, None)["boxes"]
    boxes, scores, classes = [], [], []
    for (ty, tx, th, tw), (ya, xa, ha, wa), row in zip(encoded[0], anchors, logits[0], strict=True):
        y, x = ty / 10 * ha + ya, tx / 10 * wa + xa
        h, w = np.exp(th / 5) * ha, np.exp(tw / 5) * wa
        probability = 1 / (1 + np.exp(-row[1:]))  # the first is the background
        if probability.max() >= 0.5:
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            scores.append(probability.max())
            classes.append(int(probability.argmax()))
    kept = naive(boxes, scores, classes, 0.6, 20)
    assert len(kept) > 3
    assert [box["index"] for box in ours] == [classes[i] for i in kept]
    np.testing.assert_allclose([box["score"] for box in ours], [scores[i] for i in kept], atol=1e-4)
    np.testing.assert_allclose(
        [box["box"] for box in ours], np.clip([boxes[i] for i in kept], 0, 1), atol=1e-4
    )


SSD = [TensorInfo("b", (1, 9, 4), "float32"), TensorInfo("s", (1, 9, 3), "float32")]
ANCHORS = np.full((9, 4), 0.5, np.float32)


@pytest.mark.parametrize(
    ("infos", "anchors", "settings", "said"),
    [
        (SSD, None, {"format": "ssd"}, "anchors: format ssd needs them"),
        (SSD, ANCHORS[:, :3], {"format": "ssd"}, "give one array of floats"),
        (SSD, {"a": ANCHORS}, {"format": "ssd"}, "are several"),
        (SSD, ANCHORS.astype(int), {"format": "ssd"}, "give one array of floats"),
        (SSD, ANCHORS * np.nan, {"format": "ssd"}, "hold NaN"),
        (SSD, ANCHORS[:8], {"format": "ssd"}, "8 anchors need boxes"),
        (SSD[:1], ANCHORS, {"format": "ssd"}, "9 anchors need boxes"),
        (SSD, ANCHORS[:0], {"format": "ssd"}, "0 anchors need boxes"),
        (SSD, ANCHORS, {"format": "ssd", "labels": ("a",)}, "1 labels, but"),
        (SSD, None, {"format": "yolo"}, "needs one output"),
        (SSD[:1], None, {"format": "yolo"}, "need 4 values a box"),
        (SSD[1:], None, {"format": "yolo", "labels": ("a",)}, "need 5 values a box"),
        (SSD, None, {}, "needs boxes"),
        (SSD * 2, None, {}, "needs boxes"),
    ],
)
def test_models_of_another_form_are_refused(infos, anchors, settings, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        detector(infos, anchors, **settings)
    assert "\n" not in str(refusal.value)


def test_pixels_need_a_picture():
    info = [TensorInfo("y", (1, 30, 7), "float32")]
    flat = TensorInfo("x", (1, 640), "float32")
    with pytest.raises(ConfigError, match="pixels need a picture"):
        detector(info, model_input=flat, format="yolo", coordinates="pixels")
    planar = TensorInfo("x", (1, 3, 100, 200), "float32")
    table = np.array([[100, 50, 20, 10, 0.9, 0, 0]] * 30, np.float32)[np.newaxis]
    postprocessor = detector(info, model_input=planar, format="yolo", coordinates="pixels")
    (box,) = postprocessor.result([table], None)["boxes"]
    assert box["box"] == [0.45, 0.45, 0.55, 0.55]


def test_results_that_could_grow_too_long_are_refused():
    with pytest.raises(ConfigError, match="lower limit or shorten the labels"):
        detector(tflite_infos(3), labels=("x" * 128,), limit=100)
