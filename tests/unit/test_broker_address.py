"""Where a fleet command goes, whom it means, and how its words look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.topics import TopicError
from broker.errors import UsageError
from broker.fleet.broker_address import broker_address
from broker.fleet.document import (
    parse_key,
)
from broker.fleet.text import age_text, printable, table


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://host", "host", 1883, False),
        ("mqtts://host/", "host", 8883, True),
        ("mqtt://127.0.0.1:1", "127.0.0.1", 1, False),
        ("mqtts://[::1]:8884", "::1", 8884, True),
    ],
)
def test_urls(url, host, port, tls):
    address = broker_address({"url": url}, {})
    assert (address.host, address.port, address.tls) == (host, port, tls)


@given(st.text(max_size=40) | st.text(max_size=30).map("mqtt://{}".format))
def test_any_url_is_taken_or_refused_in_one_line(url):
    try:
        line = str(broker_address({"url": url}, {}))
    except UsageError as refusal:
        line = str(refusal)
    assert line.isprintable()


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://x:0", "mqtt://x:99999", "x:1883"])
def test_refused_urls(url):
    with pytest.raises(UsageError):
        broker_address({"url": url}, {})


def test_options_come_before_the_environment():
    environment = {
        "SELVEDGE_BROKER__URL": "mqtts://far:1",
        "SELVEDGE_BROKER__CA": "ca",
        "SELVEDGE_BROKER__CERT": "cert",
        "SELVEDGE_BROKER__KEY": "key",
        "SELVEDGE_BROKER__PREFIX": "other",
    }
    far = broker_address({}, environment)
    assert (str(far), far.ca, far.cert, far.key) == ("mqtts://far:1", "ca", "cert", "key")
    assert far.topics.prefix == "other"
    near = broker_address({"url": "mqtts://near", "ca": "mine"}, environment)
    assert (str(near), near.ca) == ("mqtts://near:8883", "mine")


@pytest.mark.parametrize(
    "options", [{"url": "mqtts://x", "cert": "c"}, {"url": "mqtt://x", "ca": "c"}]
)
def test_half_a_certificate_and_certificates_without_tls_are_refused(options):
    with pytest.raises(UsageError):
        broker_address(options, {})


def test_prefix_is_checked():
    with pytest.raises(TopicError):
        broker_address({"prefix": "a/#"}, {})


@given(st.text())
def test_printable_is_printable_and_bounded(text):
    assert printable(text).isprintable()
    assert len(printable(text)) <= 120


def test_ages_and_tables():
    ages = [age_text(seconds) for seconds in (-60, 0, 30, 90, 7200, 200_000)]
    assert ages == ["in the future", "now", "30 s ago", "1 min ago", "2 h ago", "2 d ago"]
    assert table(("A", "B"), [("xx", "y")]) == "A   B\nxx  y"


def test_key_of_many_levels():
    assert parse_key("a.b-c.d_e") == ("a", "b-c", "d_e")
