"""The prepared call against wasmtime's own: the same answers, the same failures."""

import pytest
import wasmtime

from agent.runtime.adapters.wasmtime_call import prepared

TEXT = """(module
  (global $n (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
  (func (export "lowest") (result i32) (i32.const -2147483648))
  (func (export "trap") (result i32) unreachable)
  (func (export "deep") (result i32) (call 3)))"""


@pytest.fixture(params=["prepared", "own"])
def call(request, monkeypatch):
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, TEXT), [])
    if request.param == "own":
        monkeypatch.delattr("wasmtime._bindings.wasmtime_func_call_unchecked")
    return lambda name: prepared(wasmtime, store, instance.exports(store)[name])


def test_answers(call):
    count = call("count")
    assert [count() for _ in range(1000)] == list(range(1, 1001))
    assert call("lowest")() == -(2**31)


def test_failures_come_each_time_and_leave_the_rest_at_work(call):
    trap, deep, count = call("trap"), call("deep"), call("count")
    for turn in range(100):
        with pytest.raises(wasmtime.Trap, match="unreachable") as caught:
            trap()
        assert caught.value.trap_code == wasmtime.TrapCode.UNREACHABLE
        with pytest.raises(wasmtime.Trap) as caught:
            deep()
        assert caught.value.trap_code == wasmtime.TrapCode.STACK_OVERFLOW
        assert count() == turn + 1
