"""A device's own configuration, and remote documents good and bad for it."""

from typing import Any

from hypothesis import strategies as st

OWN: dict[str, Any] = {
    "device_id": "own",
    "broker": {"url": "mqtt://own:1883"},
    "pipelines": {
        "cam": {
            "source": {"kind": "picamera2", "python": "/opt/python", "rate_hz": 5},
            "model": "/m.tflite",
            "delegate": "/opt/delegate.so",
            "postprocess": {"kind": "classify", "threshold": 0.9, "release": 0.8},
        },
        "mic": {
            "source": {"kind": "alsa"},
            "model": "/m.tflite",
            "preprocess": {"kind": "audio", "upper_hz": 4000},
            "postprocess": {"kind": "regress"},
        },
    },
    "mcus": {"m4": {"port": "/dev/ttyACM0"}},
}
NEW = {
    "source": {"kind": "replay", "path": "/data"},
    "model": "/n.tflite",
    "postprocess": {"kind": "anomaly", "threshold": 2.5, "release": 1.5},
}

JUNK = st.sampled_from(
    [None, True, False, -1, 0, 1, 0.5, 10**19, 1e300, "", "x", [], [1], {}, {"kind": "x"}, "/tmp/e"]
)

PIPELINE_KEYS = ("source", "model", "threads", "delegate", "enabled", "priority", "deadline_ms")
PART_KEYS = (
    *("kind", "python", "rate_hz", "path", "device", "threshold", "release", "top_k", "width"),
    *("debounce", "activation", "sample_rate_hz", "upper_hz", "lower_hz", "coefficients"),
    *("mel_bins", "features"),
)

MCU_KEYS = st.sampled_from(["port", "by_id", "vid_pid", "baud", "x"])

# Good and bad values side by side, at known paths and unknown ones.
ASSIGNMENTS = st.one_of(
    st.tuples(st.just(("log_level",)), st.sampled_from(["debug", "error"]) | JUNK),
    st.tuples(st.just(("metrics_interval_s",)), st.floats(-1, 100) | JUNK),
    st.tuples(st.just(("outbox", "window")), st.integers(-2, 3000) | JUNK),
    st.tuples(st.just(("outbox", "max_age_s")), st.integers(-2, 3000) | JUNK),
    st.tuples(st.just(("outbox",)), JUNK),
    st.tuples(st.just(("broker", "url")), JUNK),
    st.tuples(st.just(("device_id",)), JUNK),
    st.tuples(st.just(("nonsense",)), JUNK),
    st.tuples(
        st.tuples(
            st.just("pipelines"),
            st.sampled_from(["cam", "mic", "new", "Bad Name"]),
            st.sampled_from(["source", "preprocess", "postprocess"]),
            st.sampled_from(PART_KEYS),
        ),
        st.sampled_from(
            ["replay", "picamera2", "v4l2", "mqtt", "classify", "anomaly", "regress", "tensor"]
        )
        | st.floats(0, 5000)
        | JUNK,
    ),
    st.tuples(
        st.tuples(
            st.just("pipelines"),
            st.sampled_from(["cam", "mic", "new"]),
            st.sampled_from(PIPELINE_KEYS),
        ),
        JUNK,
    ),
    st.tuples(st.tuples(st.just("pipelines"), st.sampled_from(["cam", "new", "x"])), JUNK),
    st.tuples(st.just(("pipelines", "new")), st.just(NEW)),
    st.tuples(st.just(("pipelines",)), JUNK),
    st.tuples(
        st.tuples(st.just("mcus"), st.sampled_from(["m4", "new", "Bad Name"]), MCU_KEYS),
        st.sampled_from(["/dev/ttyACM0", "usb-*", "0483:374b", 115_200]) | JUNK,
    ),
    st.tuples(st.tuples(st.just("mcus"), st.sampled_from(["m4", "new"])), JUNK),
    st.tuples(st.just(("mcus",)), JUNK),
)


def document(assignments: list[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in assignments:
        at = tree
        for key in path[:-1]:
            under = at.get(key)
            at[key] = dict(under) if isinstance(under, dict) else {}
            at = at[key]
        at[path[-1]] = value
    return tree


DOCUMENTS = st.lists(ASSIGNMENTS, max_size=10).map(document)
