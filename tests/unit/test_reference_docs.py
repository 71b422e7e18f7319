"""The reference that is committed is what the code says now."""

import json
import re
from pathlib import Path

import pytest

from docs.generate import REFERENCE, documents

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_file_is_up_to_date(name):
    committed = (REFERENCE / name).read_text(encoding="utf-8")
    assert committed == DOCUMENTS[name], "run make docs"


def test_no_schema_outlives_its_message():
    on_disk = {f"schemas/{path.name}" for path in (REFERENCE / "schemas").iterdir()}
    assert on_disk == {name for name in DOCUMENTS if name.startswith("schemas/")}
    assert all(json.loads(DOCUMENTS[name])["$schema"] for name in on_disk)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".md")])
def test_links_lead_somewhere(name):
    text = DOCUMENTS[name]
    anchors = {line.lstrip("# ").strip("`") for line in text.splitlines() if line.startswith("#")}
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        assert (REFERENCE / path).exists() if path else anchor in anchors, link
