import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from agent.sources.lines import MAX_LINE_BYTES, MAX_VALUES, LineSplitter, RowParser

FLOATS = st.floats(-(2.0**99), 2.0**99, width=32)


def cut(data, places):
    places = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))),
    st.lists(st.integers(0, 400)),
)
def test_lines_do_not_depend_on_how_they_arrive(lines, places):
    splitter = LineSplitter()
    stream = b"".join(line + b"\n" for line in lines)
    got = [line for piece in cut(stream, places) for line in splitter.feed(piece)]
    assert got == lines
    assert splitter.overlong == 0


@given(st.integers(1, 3 * MAX_LINE_BYTES), st.lists(st.integers(0, 3 * MAX_LINE_BYTES)))
def test_a_line_without_end_is_dropped_once_and_the_next_is_whole(length, places):
    splitter = LineSplitter()
    stream = b"x" * length + b"\n1,2\n"
    got = [line for piece in cut(stream, places) for line in splitter.feed(piece)]
    fits = length <= MAX_LINE_BYTES
    assert got == ([b"x" * length] if fits else []) + [b"1,2"]
    assert splitter.overlong == (not fits)


def test_memory_stays_bounded_without_any_end_of_line():
    splitter = LineSplitter()
    for _ in range(1000):
        assert splitter.feed(b"7" * 5000) == []
    assert splitter.overlong == 1
    assert len(splitter._buffer) <= MAX_LINE_BYTES


def test_the_first_line_in_midstream_is_passed_over():
    splitter = LineSplitter(in_midstream=True)
    assert splitter.feed(b"3.5,9") == []
    assert splitter.feed(b"9\n1,2\n3") == [b"1,2"]


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1), st.sampled_from(",; \t"))
def test_rows_of_numbers(rows, separator):
    parser = RowParser(separator)
    for row in rows:
        line = separator.join(repr(value) for value in row)
        assert (parser.parse(f" {line}\r".encode()) == np.array(row, np.float32)).all()


def test_columns_in_their_order():
    parser = RowParser(",", (2, 0))
    assert parser.parse(b"1,2,3").tolist() == [3.0, 1.0]
    with pytest.raises(ValueError, match="columns"):
        RowParser(",", (3,)).parse(b"1,2,3")
    with pytest.raises(ValueError, match="columns"):
        RowParser(",", (-1,)).parse(b"1,2,3")


def test_an_odd_row_is_refused_but_a_new_width_is_learned():
    parser = RowParser()
    assert len(parser.parse(b"1,2")) == 2
    for _ in range(2):  # single odd rows, with good ones between
        with pytest.raises(ValueError, match="3 values, 2 expected"):
            parser.parse(b"1,2,3")
        assert len(parser.parse(b"1,2")) == 2
    with pytest.raises(ValueError, match="expected"):
        parser.parse(b"1,2,3")
    assert len(parser.parse(b"4,5,6")) == 3
    assert len(parser.parse(b"4,5,6")) == 3


@pytest.mark.parametrize(
    "line",
    [b"", b"nan", b"1,inf", b"1e39", b"1,,2", b"hello", b"\xff\xfe", b"1\x00", b"0x10", b"1;2"],
)
def test_what_is_no_finite_number_is_refused(line):
    with pytest.raises(ValueError, match=r".+"):
        RowParser().parse(line)


def test_too_many_values():
    with pytest.raises(ValueError, match="more than"):
        RowParser().parse(b",".join([b"1"] * (MAX_VALUES + 1)))


@given(st.binary(max_size=60), st.sampled_from(["", ",", " ", "::"]))
def test_noise_is_refused_or_a_row(noise, separator):
    try:
        row = RowParser(separator).parse(noise)
    except ValueError:
        return
    assert row.dtype == np.float32
    assert np.isfinite(row).all()
    assert len(row)
