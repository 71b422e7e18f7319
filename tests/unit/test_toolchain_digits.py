"""The digits network: its gradient is its loss's, and its int8 form is its float form."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolchain import quantization
from toolchain.digits import Digits, quantize, split, train
from toolchain.digits.network import Network, convolve, forward, initial, normalize
from toolchain.digits.training import gradient, shift, softmax, targets
from toolchain.tflite.reader import read

RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (96, 8, 8, 1), dtype=np.uint8)
LABELS = RNG.integers(0, 10, 96)


def loss(parameters, inputs, wanted):
    logits = forward(Network(*parameters), inputs).logits
    return -(wanted * np.log(softmax(logits))).sum(axis=1).mean()


@pytest.mark.parametrize("field", [one.name for one in dataclasses.fields(Network)])
def test_the_gradient_is_the_slope_of_the_loss(field):
    rng = np.random.default_rng(5)
    parameters = [one.astype(np.float64) for one in initial(rng).parameters()]
    parameters = [one + rng.normal(0, 0.05, one.shape) for one in parameters]
    inputs = normalize(IMAGES[:6]).astype(np.float64)
    wanted = targets(LABELS[:6]).astype(np.float64)
    number = [one.name for one in dataclasses.fields(Network)].index(field)
    slope = gradient(Network(*parameters), inputs, wanted)[number]
    assert slope.shape == parameters[number].shape
    for at in rng.choice(slope.size, 8, replace=False):
        step = np.zeros(slope.size)
        step[at] = 1e-6
        above, below = (
            loss(
                [
                    one + sign * step.reshape(one.shape) if i == number else one
                    for i, one in enumerate(parameters)
                ],
                inputs,
                wanted,
            )
            for sign in (1, -1)
        )
        assert slope.flat[at] == pytest.approx((above - below) / 2e-6, abs=2e-6)


def test_targets_are_probabilities_with_the_label_on_top():
    rows = targets(LABELS)
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(rows.argmax(axis=1), LABELS)
    np.testing.assert_allclose(np.sort(rows, axis=1)[:, [0, 8, 9]], [[0.01, 0.01, 0.91]] * 96)


def test_a_convolution_is_the_sum_over_its_window():
    rng = np.random.default_rng(1)
    image, weights = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(6, 3, 3, 3))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    by_hand = np.zeros((2, 5, 4, 6))
    for row, column in np.ndindex(5, 4):
        window = padded[:, row : row + 3, column : column + 3, :]
        by_hand[:, row, column] = np.einsum("nyxc,oyxc->no", window, weights)
    np.testing.assert_allclose(convolve(image, weights), by_hand)


def test_a_shift_moves_the_picture_and_fills_with_paper():
    image = np.arange(1, 65, dtype=np.uint8).reshape(1, 8, 8, 1)
    down_left = shift(image, np.array([[1, -1]]))
    np.testing.assert_array_equal(down_left[0, 1:, :-1], image[0, :-1, 1:])
    assert not down_left[0, 0].any()
    assert not down_left[0, :, -1].any()
    np.testing.assert_array_equal(shift(image, np.array([[0, 0]])), image)


def test_a_split_keeps_every_digit_once():
    digits = Digits(IMAGES, np.arange(96))
    learned, held_out = split(digits, np.random.default_rng(0), held_out=30)
    assert (len(learned), len(held_out)) == (66, 30)
    assert sorted([*learned.labels, *held_out.labels]) == list(range(96))
    again, _ = split(digits, np.random.default_rng(0), held_out=30)
    np.testing.assert_array_equal(again.images, learned.images)


def test_training_learns_what_can_be_learned():
    # Ten pictures that differ; each label is one of them, so that all can be told apart.
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(320) % 10
    finished = []
    network = train(Digits(prototypes[labels], labels), rng, epochs=6, on_epoch=finished.append)
    assert finished == [0, 1, 2, 3, 4, 5]
    predicted = forward(network, normalize(prototypes)).logits.argmax(axis=1)
    assert (predicted == np.arange(10)).mean() >= 0.9


def test_equal_seeds_give_equal_bytes_and_others_do_not():
    digits = Digits(IMAGES, LABELS)

    def model(seed):
        rng = np.random.default_rng(seed)
        return quantize(train(digits, rng, epochs=1), digits.images)

    assert model(1) == model(1)
    assert model(1) != model(2)


def test_every_tensor_of_the_quantized_model_is_integer_and_pixels_need_no_float():
    model = read(quantize(initial(np.random.default_rng(0)), IMAGES))
    assert {one.dtype.label for one in model.main.tensors} == {"int8", "int32"}
    image = model.main.tensors[model.main.inputs[0]]
    assert (image.shape, image.quantization.zero_points) == ((1, 8, 8, 1), (-128,))
    pixels = np.arange(256)
    real = image.quantization.scales[0] * ((pixels - 128) - image.quantization.zero_points[0])
    np.testing.assert_allclose(real, pixels / 255, rtol=1e-7)


def test_biases_have_the_scale_of_the_accumulator_and_weights_avoid_minus_128():
    model = read(quantize(initial(np.random.default_rng(0)), IMAGES))
    tensors = model.main.tensors
    for operator in model.main.operators:
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            source, weights, bias = (tensors[i] for i in operator.inputs)
            products = [source.quantization.scales[0] * s for s in weights.quantization.scales]
            assert bias.quantization.scales == pytest.approx(products, rel=1e-6)
            assert set(weights.quantization.zero_points) == {0}
            assert np.frombuffer(weights.data, np.int8).min() >= -127


FLOATS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=100, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=20))
@example([5.446847130830564e-42])
@example([-5.446847130830564e-42])
def test_activations_and_zero_lie_in_the_int8_range(values):
    found = quantization.activation(np.array(values, np.float32))
    (scale,), (zero_point,) = found.scales, found.zero_points
    assert -128 <= zero_point <= 127
    rounded = np.rint(np.array(values) / scale) + zero_point
    assert rounded.min() >= -129
    assert rounded.max() <= 128


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=5), st.booleans())
def test_weights_come_back_within_half_a_step(rows, by_channel):
    weights = np.array(rows, np.float32)
    found = (quantization.per_channel if by_channel else quantization.per_tensor)(weights)
    scales = np.array(found.scales).reshape(-1, 1)
    restored = quantization.to_int8(weights, found) * scales
    assert (np.abs(restored - weights) <= scales * 0.5001 + 1e-30).all()
