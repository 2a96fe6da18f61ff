"""The documents are true as far as a machine can tell: links, commands, settings, files, addresses."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from meldbalie.__main__ import COMMANDS
from meldbalie.flows.operator.reference import settings_reference
from meldbalie.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NAMES = {name for name, _, _ in COMMANDS}

FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
#: In a code span, behind a prompt, or at the end of a path; the word after it is a command.
COMMAND = re.compile(r"(?:`|^\s*(?:\$ |)|\| |/bin/)meldbalie ([a-z][a-z-]*)", re.MULTILINE)
MODULE = re.compile(r"`((?:flows|mailbox|models|webhooks|tests)/[\w/]+(?:\.py|/))`")
SETTING = re.compile(r"`([a-z_]+)\.(?!(?:yaml|toml|py)`)([a-z_]+)`")
#: Homes of people, and places that are gone after a restart.
HOME = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp)/\w")
INDEX = re.compile(r"https?://\S*(?:pypi|/simple\b|/index\b|artifactory|nexus)|--(?:extra-)?index-url", re.I)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _id(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _anchors(file: Path) -> set[str]:
    """How headings can be linked to: in lower case, without punctuation, dashes for spaces."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", _read(file)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(file: Path) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", _read(file))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


def test_the_configuration_reference_is_current() -> None:
    assert _read(ROOT / "docs" / "configuration.md") == settings_reference(), "run: meldbalie settings"


@pytest.mark.parametrize("file", DOCUMENTS, ids=_id)
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    assert list(_broken(file)) == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=_id)
def test_every_command_that_is_named_exists(file: Path) -> None:
    assert set(COMMAND.findall(_read(file))) - NAMES == set()


def test_every_command_has_its_chapter() -> None:
    chapters = re.findall(r"^## (\w+)$", _read(ROOT / "docs" / "commands.md"), re.MULTILINE)

    assert sorted(chapters) == sorted(NAMES)


@pytest.mark.parametrize("file", DOCUMENTS, ids=_id)
def test_every_module_that_is_named_is_there(file: Path) -> None:
    assert [name for name in MODULE.findall(_read(file)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=_id)
def test_every_setting_that_is_named_is_one(file: Path) -> None:
    sections = {name: _fields(name) for name in Settings.model_fields}
    named = SETTING.findall(FENCED.sub("", _read(file)))

    assert [pair for pair in named if pair[0] in sections and pair[1] not in sections[pair[0]]] == []


def _fields(section: str) -> set[str]:
    default = getattr(Settings.model_construct(), section, None)
    return set(getattr(type(default), "model_fields", {})) or {"name", "address", "fingerprint"}


@pytest.mark.parametrize("file", DOCUMENTS, ids=_id)
def test_no_document_tells_where_it_was_written(file: Path) -> None:
    assert HOME.findall(_read(file)) == []
    assert INDEX.findall(_read(file)) == []
