"""Networks that have every kind of layer, and the shapes of random ones."""

from hypothesis import strategies as st

from toolchain.errors import ModelRefused
from toolchain.training import network as n
from toolchain.training.steps import steps_of

HEAD = n.Network((64,), (n.Dense(10),))
CNN = n.Network(
    (28, 28, 1),
    (
        n.Conv2D(8, 3, activation="relu"),
        n.MaxPool2D(),
        n.Conv2D(16, 3, activation="relu"),
        n.MaxPool2D(),
        n.Dense(10),
    ),
)
MIXED = n.Network(
    (11, 9, 3),
    (
        n.Conv2D(5, (3, 2), stride=(2, 1), padding="valid", activation="relu6"),
        n.DepthwiseConv2D(3, stride=2, activation="relu"),
        n.AveragePool2D(2, padding="same"),
        n.Conv2D(13, 1),
        n.GlobalAveragePool2D(),
        n.Dense(3, activation="relu"),
        n.Dense(7),
    ),
    batch=9,
)
DEPTHWISE_FIRST = n.Network(
    (8, 8, 3),
    (n.DepthwiseConv2D((5, 3)), n.MaxPool2D(3, 2, "same"), n.Flatten(), n.Dense(6)),
    batch=5,
)
POOL_FIRST = n.Network(
    (9, 9, 2), (n.MaxPool2D(2), n.Conv2D(6, 3), n.AveragePool2D(3, 1, "same"), n.Dense(6)), batch=5
)
SQUARED = n.Network(
    (17,), (n.Dense(19, activation="relu"), n.Dense(4)), loss="squared_error", batch=7
)
NETWORKS = {
    "head": HEAD,
    "cnn": CNN,
    "mixed": MIXED,
    "depthwise first": DEPTHWISE_FIRST,
    "pool first": POOL_FIRST,
    "squared error": SQUARED,
}

_pair = st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))
_padding = st.sampled_from(["valid", "same"])
_activation = st.sampled_from(["none", "relu", "relu6"])
_hidden = st.one_of(
    st.builds(n.Conv2D, st.integers(1, 13), _pair, _pair, _padding, _activation),
    st.builds(n.DepthwiseConv2D, _pair, _pair, _padding, _activation),
    st.builds(n.MaxPool2D, _pair, st.one_of(st.none(), _pair), _padding),
    st.builds(n.AveragePool2D, _pair, st.one_of(st.none(), _pair), _padding),
    st.builds(n.Dense, st.integers(1, 13), _activation),
    st.just(n.Flatten()),
)


def _fits(network: n.Network) -> bool:
    try:
        return bool(steps_of(network))
    except ModelRefused:
        return False


networks = st.builds(
    n.Network,
    st.one_of(
        st.tuples(st.integers(1, 40)),
        st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6)),
    ),
    st.builds(
        lambda hidden, units: (*hidden, n.Dense(units)),
        st.lists(_hidden, max_size=4),
        st.integers(1, 12),
    ),
    st.sampled_from(["cross_entropy", "squared_error"]),
    st.integers(1, 9),
).filter(_fits)
"""Random networks that fit together."""
