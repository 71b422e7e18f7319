from dataclasses import fields, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agent.doctor.checks import CHECKS, examine, usable
from agent.doctor.checks_of_service import REMEDIES
from agent.doctor.facts import (
    BrokerAnswer,
    Configuration,
    Facts,
    Folder,
    Lack,
    Library,
    Memory,
    Refusal,
    Service,
    System,
    User,
)
from agent.doctor.finding import Finding
from agent.sources.protocol import Found

MIB = 1024 * 1024
LITERT = Library("tflite", "ai_edge_litert", "2.3.0", "install it")
OLD = Library("tflite", "tflite_runtime", None, "install it")
PI = Facts(
    system=System(
        *((3, 13, 1), "Debian GNU/Linux 13 (trixie)", "aarch64", 64, True),
        unix_s=1_800_000_000,
        features=frozenset({"fp", "asimd", "crc32"}),
    ),
    memory=Memory(8000 * MIB, 7000 * MIB, 64 * MIB, 50 * MIB),
    state=Folder("/var/lib/selvedge", False, None, 9000 * MIB),
    libraries=(LITERT, OLD),
    numpy="2.4.6",
    brokers={"mosquitto": "2.0.21"},
    inputs=(Found("picamera2", "0", "imx708"),),
    user=User("pi", False, frozenset({"pi", "video"})),
    broker=None,
    configuration=Configuration(("/etc/selvedge/agent.toml",), None, ()),
    service=Service("selvedge-agent", "active", False, "success", frozenset({"video", "dialout"})),
)


def findings(facts, check):
    return [finding for finding in examine(facts) if finding.check == check]


def the(facts, check):
    (finding,) = findings(facts, check)
    return finding


def test_a_good_machine_has_nothing_to_mend():
    assert {finding.level for finding in examine(PI)} == {"ok"}
    assert usable(PI) == ["tflite"]


def system(**changes):
    return {"system": replace(PI.system, **changes)}


def memory(available):
    return {"memory": replace(PI.memory, available=available * MIB)}


def state(**changes):
    return {"state": replace(PI.state, **changes)}


def service(**changes):
    return {"service": replace(PI.service, **changes)}


def configured(**changes):
    return {"configuration": replace(PI.configuration, **changes)}


LACK = Lack("mcus.m.port", "is not there", "plug it in")
REFUSED = BrokerAnswer("mqtt://x", 3, "Connection refused")
NO_RUNTIME = {"libraries": (replace(LITERT, version=None), OLD)}
NO_GROUPS = {"user": replace(PI.user, groups=frozenset())}


@pytest.mark.parametrize(
    ("change", "check", "level", "words"),
    [
        (system(python=(3, 14, 0)), "python", "problem", "3.11 to 3.13"),
        (system(python=(3, 9, 2)), "python", "problem", "3.11 to 3.13"),
        (system(machine="armv6l", pointer_bits=32), "system", "problem", "Pi 3"),
        (system(machine="armv7l", pointer_bits=32), "system", "warn", "64-bit"),
        (system(clock_is_synced=False), "clock", "warn", "timedatectl"),
        (system(features=frozenset({"fp"})), "simd", "problem", "--target scalar"),
        (system(unix_s=90_000), "clock", "problem", "day 2 of 1970"),
        (state(problem="Read-only", is_read_only=True), "state folder", "problem", "dmesg"),
        (service(state="failed", result="exit-code"), "service", "problem", "journalctl"),
        (
            service(state="activating", is_started_again=True, result="exit-code"),
            *("service", "problem", "ends and is started again: exit-code"),
        ),
        (service(state="activating"), "service", "ok", "is activating"),
        (service(state="inactive"), "service", "warn", "enable --now"),
        (service(groups=frozenset()), "group", "problem", "dpkg-reconfigure"),
        (configured(problem="x.toml: broker.url: no URL"), "configuration", "problem", "mend"),
        (configured(lacks=(LACK,)), "configuration", "problem", "mcus.m.port: is not there — plug"),
        (memory(60), "memory", "problem", "60 of 8000"),
        (memory(120), "memory", "warn", "one pipeline"),
        (state(problem="No space left", is_full=True), "state folder", "problem", "make room"),
        (state(problem="Permission denied", free_bytes=0), "state folder", "problem", "--state"),
        (state(free_bytes=MIB), "state folder", "warn", "make room"),
        ({"brokers": {}}, "broker program", "warn", "apt install mosquitto"),
        ({"broker": REFUSED}, "broker", "problem", "mqtt://x: Connection refused"),
        ({"broker": replace(REFUSED, problem=None)}, "broker", "ok", "accepted in 3 ms"),
        ({"inputs": ()}, "input", "ok", "no camera"),
        (NO_GROUPS, "group", "warn", "sudo usermod -aG video pi"),
        (NO_RUNTIME, "runtime", "problem", "install it"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(change, check, level, words):
    finding = next(
        finding for finding in findings(replace(PI, **change), check) if finding.level == level
    )
    assert words in f"{finding.text} — {finding.remedy}"


def test_camera_memory_that_takes_the_machine_or_starves_the_camera():
    # As a Pi Zero 2 W ships: 256 of 426 MB set aside.
    zero = replace(PI, memory=Memory(426 * MIB, 234 * MIB, 256 * MIB, 250 * MIB))
    assert the(zero, "camera memory").level == "warn"
    assert "cma-128" in the(zero, "camera memory").remedy
    starved = replace(PI, memory=replace(PI.memory, cma_total=32 * MIB))
    assert the(starved, "camera memory").level == "warn"
    assert the(replace(starved, inputs=()), "camera memory").level == "ok"
    none = replace(PI, memory=replace(PI.memory, cma_total=None, cma_free=None))
    assert findings(none, "camera memory") == []


def test_tflite_runtime_fails_under_numpy_2():
    only_old = replace(
        PI, libraries=(replace(LITERT, version=None), replace(OLD, version="2.14.0"))
    )
    finding = the(only_old, "runtime")
    assert (finding.level, finding.remedy) == ("problem", "pip install 'numpy<2'")
    assert "numpy 2.4.6" in finding.text
    assert usable(only_old) == []
    mended = replace(only_old, numpy="1.26.4")
    assert the(mended, "runtime").level == "ok"
    assert usable(mended) == ["tflite"]
    assert usable(replace(only_old, numpy=None)) == ["tflite"]
    assert usable(replace(only_old, numpy="unreadable")) == []


def test_a_second_runtime_that_is_missing_is_no_problem():
    more = replace(PI, libraries=(*PI.libraries, Library("other", "other_lib", None, "get it")))
    assert [finding.level for finding in findings(more, "runtime")] == ["ok", "warn"]
    assert usable(more) == ["tflite"]


def test_inputs_that_cannot_be_opened():
    inputs = (Found("v4l2", "/dev/video0", "C920", "no permission; join the group"),)
    finding = the(replace(PI, inputs=inputs), "input")
    assert finding == Finding(
        "input", "warn", "v4l2 /dev/video0: C920: no permission", "join the group"
    )


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refusal_has_a_remedy_of_its_own(refusal):
    answer = BrokerAnswer("mqtts://x", 3, "no", refusal)
    assert the(replace(PI, broker=answer), "broker").remedy == REMEDIES[refusal]
    assert len(set(REMEDIES.values())) == len(Refusal)


def test_a_processor_that_does_not_tell_is_not_blamed():
    for change in (system(features=None), system(machine="riscv64")):
        assert findings(replace(PI, **change), "simd") == []


def test_root_needs_no_groups():
    root = replace(PI, user=User("root", True, frozenset({"root"})))
    assert findings(root, "group") == []


@given(st.data())
def test_every_finding_is_one_line_and_every_level_but_ok_has_a_remedy(data):
    broken = {}
    for field in fields(Facts):
        kind = field.type
        if data.draw(st.booleans()):
            broken[field.name] = data.draw(st.from_type(kind))
    for finding in examine(replace(PI, **broken)):
        assert finding.level in ("ok", "warn", "problem")
        if finding.level != "ok" and finding.check not in ("input", "runtime", "configuration"):
            assert finding.remedy


def test_every_check_function_is_in_use():
    import agent.doctor.checks as module

    written = {name for name in vars(module) if name.startswith("check_")}
    assert {check.__name__ for check in CHECKS} == written
