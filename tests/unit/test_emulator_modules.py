"""Kernel modules come after what they need, whatever the order in which they are wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.modules import load_order, name_of, parse
from deploy.package.errors import PackageError

DEP = """\
kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko
kernel/fs/jbd2/jbd2.ko:
kernel/fs/mbcache.ko:
kernel/drivers/virtio/virtio-pci.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
"""


def test_names_are_those_of_lsmod() -> None:
    assert [name_of(path) for path in parse(DEP)][3:] == ["virtio_pci", "virtio"]


def test_what_is_built_in_is_left_out() -> None:
    order = load_order(["virtio_pci", "ext4"], parse(DEP), ["kernel/fs/ext4/ext4.ko"])
    assert order == [f"kernel/drivers/virtio/{name}.ko.xz" for name in ("virtio", "virtio-pci")]


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(PackageError, match="no module vivid"):
        load_order(["vivid"], parse(DEP), [])


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Modules that need some of those with a smaller number."""
    count = draw(st.integers(1, 12))
    needs = {
        f"kernel/m{n}.ko": tuple(
            f"kernel/m{other}.ko" for other in sorted(draw(st.sets(st.integers(0, n - 1))))
        )
        if n
        else ()
        for n in range(count)
    }
    return {path: needs[path] for path in draw(st.permutations(sorted(needs)))}


@given(graphs(), st.data())
def test_each_comes_once_and_after_what_it_needs(
    needs: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    text = "".join(f"{path}: {' '.join(others)}\n" for path, others in needs.items())
    wanted = data.draw(st.lists(st.sampled_from([name_of(path) for path in needs]), unique=True))
    order = load_order(wanted, parse(text), [])
    assert len(set(order)) == len(order)
    assert set(wanted) <= {name_of(path) for path in order}
    for place, path in enumerate(order):
        assert set(needs[path]) <= set(order[:place])
