"""The reference that is committed is what the code says now."""

import json

import pytest

from docs.generate import REFERENCE, documents
from selvedge import COMMANDS, parser_of

DOCUMENTS = documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_file_is_up_to_date(name):
    committed = (REFERENCE / name).read_text(encoding="utf-8")
    assert committed == DOCUMENTS[name], "run make docs"


def test_no_schema_outlives_its_message():
    on_disk = {f"schemas/{path.name}" for path in (REFERENCE / "schemas").iterdir()}
    assert on_disk == {name for name in DOCUMENTS if name.startswith("schemas/")}
    assert all(json.loads(DOCUMENTS[name])["$schema"] for name in on_disk)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_of_a_command_says_what_it_is(name):
    assert [each.dest for each in parser_of(name)._actions if not each.help] == []
