"""What we pack, the `cpio` of others unpacks."""

import stat
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.emulator.cpio import archive

names = st.text("abcxyz-._0", min_size=1, max_size=12).filter(lambda name: name.strip("."))
contents = st.dictionaries(names, st.binary(max_size=300), max_size=8)


@settings(max_examples=15)
@given(contents)
def test_files_and_links_come_out_as_they_went_in(files: dict[str, bytes]) -> None:
    tree: dict[str, bytes | None] = {"in": None}
    tree |= {f"in/{name}": data for name, data in files.items()}
    packed = archive(tree, {"link": "in"})
    words = ["cpio", "--extract", "--quiet", "--no-preserve-owner"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(words, cwd=root, input=packed, check=True)
        assert {path.name: path.read_bytes() for path in (root / "in").iterdir()} == files
        assert (root / "link").readlink() == Path("in")
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o755 for path in root.rglob("in/*"))
