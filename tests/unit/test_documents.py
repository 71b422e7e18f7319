"""The documents: links lead somewhere, the index has every page, commands are taken as written."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

import selvedge
from broker.errors import BrokerError
from broker.fleet.document import parse_changes
from broker.fleet.target import split_target
from selvedge import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [page for where in ("*.md", "docs/**/*.md", "examples/*/*.md") for page in ROOT.glob(where)]
NAMES = {str(page.relative_to(ROOT)): page for page in sorted(PAGES)}
GENERATED_USAGE = "docs/reference/cli.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDERS = (
    "agent",
    "benchmarks",
    "broker",
    "deploy",
    "docs",
    "engine",
    "firmware_bridge",
    "tests",
    "toolchain",
)
SHELL = ("", "sh", "console")


def prose(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, with the anchor in each."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text()))
    split = [target.partition("#") for target in targets if "://" not in target]
    return [((page.parent / path).resolve() if path else page, at) for path, _, at in split]


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link, as GitHub derives it."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", head).replace("`", "") for head in heads]
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in plain}


def commands(text: str) -> list[str]:
    """Every `selvedge …` of the blocks for a shell; what a program answers is left out."""
    found = []
    for language, block in FENCE.findall(text):
        if language in SHELL:
            lines = block.replace("\\\n", " ").splitlines()
            starts = [re.sub(r"^\$ ", "", line) for line in lines]
            pieces = [piece.strip() for line in starts for piece in re.split(r"&&|\|", line)]
            called = [re.sub(r"^(sudo |\.venv/bin/)", "", piece) for piece in pieces]
            found += [piece for piece in called if re.match(r"selvedge [a-z-]", piece)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    for target, anchor in links(NAMES[name]):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}#{anchor}"


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_named_are_there(name):
    """Paths from the root of the project, and tests by their names alone."""
    for text in re.findall(r"`([\w./-]+)`", NAMES[name].read_text()):
        if text.split("/")[0] in FOLDERS:
            assert (ROOT / text).exists(), text
        elif re.fullmatch(r"test_\w+\.py", text):
            assert list((ROOT / "tests").glob(f"*/{text}")), text


def test_the_index_names_every_page():
    known = {target for target, _ in links(DOCS / "README.md")}
    assert {page for page in DOCS.rglob("*.md") if page.parent.name != "adr"} - known == {
        DOCS / "README.md"
    }


def test_decisions_are_listed_in_order():
    on_disk = sorted(page for page in (DOCS / "adr").glob("*.md") if page.name != "README.md")
    assert [target for target, _ in links(DOCS / "adr" / "README.md")] == on_disk
    numbers = [int(page.name[:4]) for page in on_disk]
    assert numbers == list(range(1, len(numbers) + 1))
    for page in on_disk:
        title = page.read_text().splitlines()[0].removeprefix(f"# {page.name[:4]} · ")
        assert f"]({page.name}) | {title} |" in (DOCS / "adr" / "README.md").read_text()


def refusal(line: str) -> str:
    """Why the front door would not take a command; … stands for an option's value, or for more."""
    words = shlex.split(line, comments=True)[1:]
    words = [word for before, word in pairwise(["", *words]) if word != "…" or before[:2] == "--"]
    name = selvedge.command_of(words)
    if name is None:
        return f"no command: {line}"
    try:
        arguments = selvedge.parser_of(name).parse_intermixed_args(words[len(name.split()) :])
        if name == "config set":
            _, assignments = split_target(arguments.words, fleet=arguments.fleet)
            parse_changes(assignments, arguments.unset)
    except (SystemExit, BrokerError) as error:
        return f"{error}: {line}"
    return ""


@pytest.mark.parametrize("name", [name for name in NAMES if name != GENERATED_USAGE])
def test_commands_in_blocks_are_taken_as_they_are_written(name):
    refusals = [refusal(line) for line in commands(NAMES[name].read_text())]
    assert not any(refusals), refusals


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_the_text_exist_with_their_options(name):
    for text in re.findall(r"`selvedge ([a-z][^`]*)`", FENCE.sub("", NAMES[name].read_text())):
        words = text.split()
        first, *second = words[0], *" ".join(words[1:2]).split("|")
        known = [one for one in (first, *(f"{first} {word}" for word in second)) if one in COMMANDS]
        assert known or any(one.startswith(f"{first} ") for one in COMMANDS), text
        options = {word.strip("[]") for word in words if re.match(r"\[?--", word)}
        for command in known[-1:]:
            assert options <= set(selvedge.parser_of(command)._option_string_actions), text


def test_what_is_read_here_can_be_wrong(tmp_path):
    page = tmp_path / "page.md"
    block = "```\n$ selvedge fl stop | cat\n$ sudo selvedge fl stop j --und\\\no\nnot\n```\n"
    page.write_text(f"# A `b` (c)\n[x](#a-b-c) [y](gone.md#z)\n{block}")
    assert anchors(page) == {"a-b-c"}
    assert links(page) == [(page, "a-b-c"), (tmp_path / "gone.md", "z")]
    assert commands(page.read_text()) == ["selvedge fl stop", "selvedge fl stop j --und o"]
    assert "no command" in refusal("selvedge fly")
    assert refusal("selvedge fl stop")
    assert refusal("selvedge config set pi-1 log_level debug")
    assert not refusal("selvedge config set pi-1 log_level=debug")
