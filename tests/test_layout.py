"""The house stands as it was drawn: who may import whom, and who alone may touch the world.

Read from the sources, so that a rule also holds where no other test comes by. An exception stands
here with its reason, or it is not one.
"""

import argparse
import ast
import mailbox as standard_mailbox
import re
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from meldbalie.__main__ import COMMANDS
from meldbalie.flows.serving import deployments
from meldbalie.settings import Settings
from prefect import Flow

ROOT = Path(__file__).parents[1]
FOLDERS = ("flows", "webhooks", "models", "mailbox")

#: Which rooms a room may import from. The web may enter the mailbox only as far as no key lies there.
OPEN_DOORS: Mapping[str, set[str]] = {
    "__main__": {"settings", "models"},
    "settings": {"mailbox", "models"},  # limits, durations and clocks, as they stand where they are kept
    "models": {"models"},
    "mailbox": {"mailbox"},
    "webhooks": {"webhooks", "models", "settings", "mailbox"},
    "flows": {"flows", "mailbox", "models", "settings"},
    "flows.operator": {"flows.operator", "flows", "mailbox", "models", "settings"},
}
#: Where secret keys are used, and where mail is fetched and sent. What is left of the mailbox for the
#: web is what only computes: addresses, targets, words, wording with its dates, scrubbing, composing.
NOT_FOR_THE_WEB = {"mailbox.keyring", "mailbox.gpg_process", "mailbox.imap", "mailbox.smtp"}

#: Libraries that one module alone talks to, so that its rules hold everywhere.
ONE_DOOR: Mapping[str, set[str]] = {
    "gnupg": {"mailbox.keyring"},
    "pysequoia": {"mailbox.second_opinion"},
    "smtplib": {"mailbox.smtp"},
    "imapclient": {"mailbox.imap", "mailbox.imap_session", "mailbox.putting_away"},
    "imaplib": {"mailbox.imap_session"},
    "holidays": {"models.closed_days"},
    "cvss": {"models.severity"},
}

#: Who may do more with mailbox.smtp than name the server.
MAY_SPEAK_SMTP = {
    "flows.deliver",
    "flows.operator.check_servers",  # logs in and hangs up
    "flows.operator.demo_story",  # plays the researcher
}

#: Whoever reads the environment other than for configuration.
ENVIRONMENT_OF_PROCESSES = {
    "flows.operator.children": "what the processes that `up` starts inherit",
    "flows.operator.leash": "hands its own environment to the one child that it starts",
    "flows.operator.up": "systemd names its socket in NOTIFY_SOCKET",
}

#: Where the present is read. Everybody else is handed a clock or an instant.
CLOCKS = {
    "flows.installation": "the clock of the flows and commands",
    "webhooks.app": "the clock of the web app, which a test replaces",
    "flows.operator.check": "one instant for all that a check looks at",
    "flows.operator.certificate": "how long a certificate of the local mail server is valid",
    "mailbox.opening": "which signatures are dated in the future, by the machine's clock, as for gpg",
    "flows.operator.maildrop": "the trace lines and file names of the local mail server",
}
LONGEST = 300
#: Long, and yet one subject.
MAY_BE_LONG = {"settings": "every setting with its default and its sentence: one table"}


def _files() -> Iterator[Path]:
    yield from ROOT.glob("*.py")
    for folder in FOLDERS:
        yield from (ROOT / folder).rglob("*.py")


@cache
def house() -> Mapping[str, ast.Module]:
    """Every module of the product by its name below the package, such as ``flows.deliver``."""
    found: dict[str, ast.Module] = {}
    for file in sorted(_files()):
        relative = file.relative_to(ROOT)
        if "versions" not in relative.parts:  # migrations are records, not code to live in
            found[".".join(relative.with_suffix("").parts)] = ast.parse(file.read_bytes())
    return found


def _every(*kinds: type[Any]) -> Iterator[tuple[str, Any]]:
    """Every node of these kinds, with the module that it stands in."""
    for name, tree in house().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield name, node


def _room(module: str) -> str:
    return "flows.operator" if module.startswith("flows.operator.") else module.partition(".")[0]


@cache
def imports() -> Mapping[str, frozenset[tuple[str, str]]]:
    """What each module imports from within the house: the module, and the name taken from it or ``""``."""
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in house()}
    for name, node in _every(ast.ImportFrom):
        if node.level == 0:
            continue
        base = [*name.split(".")[: -node.level], *(node.module.split(".") if node.module else [])]
        for alias in node.names:
            whole = ".".join([*base, alias.name])
            found[name].add((whole, "") if whole in house() else (".".join(base), alias.name))
    return {name: frozenset(taken) for name, taken in found.items()}


def reached_from(module: str) -> set[str]:
    """The module and everything in the house that comes with it when it is imported."""
    reached, ahead = set[str](), [module]
    while ahead:
        if (one := ahead.pop()) not in reached:
            reached.add(one)
            ahead += [other for other, _ in imports().get(one, ())]
    return reached


def test_a_room_is_entered_only_through_its_doors() -> None:
    through_walls = [
        f"{module} imports {other}"
        for module, taken in imports().items()
        if module != "__init__"
        for other, _ in taken
        if _room(other) not in OPEN_DOORS[_room(module)]
    ]

    assert through_walls == []


def test_every_import_that_is_meant_for_the_house_finds_something_there() -> None:
    nowhere = [
        f"{module}: {other}"
        for module, taken in imports().items()
        for other, _ in taken
        if other not in house() and not (ROOT / other.replace(".", "/")).is_dir()
    ]

    assert nowhere == []


def test_the_house_is_entered_from_inside_by_relative_imports_only() -> None:
    def foreign(node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        return [] if node.level else [node.module or ""]

    ours = ("meldbalie", "tests", *FOLDERS, "settings")
    found = [
        (module, name)
        for module, node in _every(ast.Import, ast.ImportFrom)
        for name in foreign(node)
        if name.partition(".")[0] in ours
    ]

    assert found == []


def test_the_web_app_reaches_no_secret_key_and_no_mail_server() -> None:
    reached = {
        module: sorted(reached_from(module) & NOT_FOR_THE_WEB)
        for module in house()
        if _room(module) == "webhooks"
    }

    assert {module: found for module, found in reached.items() if found} == {}


def test_a_library_of_keys_or_mail_has_one_door() -> None:
    through_windows: list[str] = []
    for module, node in _every(ast.Import, ast.ImportFrom):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if node.level == 0
            else []
        )
        through_windows += [
            f"{module} imports {name}"
            for name in names
            if module not in ONE_DOOR.get(name.partition(".")[0], {module})
        ]

    assert through_windows == []


def test_mail_is_sent_by_deliver_alone() -> None:
    speakers = {
        module
        for module, taken in imports().items()
        for other, name in taken
        if other == "mailbox.smtp" and name != "SmtpServer"
    }

    assert speakers == MAY_SPEAK_SMTP


def test_only_the_settings_read_configuration_from_the_environment() -> None:
    readers = {
        module
        for module, node in _every(ast.Attribute)
        if node.attr in {"environ", "environb", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    } | {
        module
        for module, node in _every(ast.ImportFrom)
        if node.module == "os" and {alias.name for alias in node.names} & {"environ", "environb", "getenv"}
    }

    assert readers == {"settings", *ENVIRONMENT_OF_PROCESSES}


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """The single targets of an assignment, each with its value where one can be told."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else []
                pairs = values if len(values) == len(target.elts) else [None] * len(target.elts)
                yield from zip(target.elts, pairs, strict=True)
            else:
                yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        yield node.target, node.value


def test_only_a_ticket_changes_its_state() -> None:
    """Mails have a state as well; theirs is always written out as a ``MailState``."""
    written: list[str] = []
    for module, node in _every(ast.Assign, ast.AnnAssign, ast.AugAssign):
        for target, value in _assignments(node):
            is_of_mail = value is not None and ast.unparse(value).startswith("MailState.")
            if isinstance(target, ast.Attribute) and target.attr == "state" and not is_of_mail:
                written.append(module)
    for module, node in _every(ast.Call):
        called = ast.unparse(node.func)
        by_name = [ast.unparse(argument) for argument in node.args[1:2]]
        sets_it = called in {"setattr", "set_attribute"} and by_name == ["'state'"]
        in_bulk = called.endswith((".values", "Ticket")) and any(
            word.arg == "state" for word in node.keywords
        )
        if sets_it or in_bulk:
            written.append(module)

    assert written == ["models.ticket"]


def test_the_present_is_read_in_few_places_and_never_without_a_zone() -> None:
    readers: set[str] = set()
    naive: list[str] = []
    for module, node in _every(ast.Call):
        called = ast.unparse(node.func)
        if called.endswith(
            ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", ".utcfromtimestamp")
        ):
            readers.add(module)
            if not called.endswith("datetime.now") or not (node.args or node.keywords):
                naive.append(f"{module}:{node.lineno}")
        elif called in {"time.time", "time.time_ns", "time.localtime", "time.gmtime"}:
            readers.add(module)

    assert naive == []
    assert readers == set(CLOCKS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_without_init_never_shadows_a_real_module(folder: str) -> None:
    assert list((ROOT / folder).rglob("__init__.py")) == []


def test_mailbox_is_still_the_standard_library_s() -> None:
    assert Path(standard_mailbox.__file__).is_relative_to(sysconfig.get_path("stdlib"))
    assert standard_mailbox.Maildir


def test_no_file_tells_more_than_one_subject() -> None:
    lengths = {
        module: len((ROOT / f"{module.replace('.', '/')}.py").read_text().splitlines()) for module in house()
    }

    assert {module for module, lines in lengths.items() if lines > LONGEST} == set(MAY_BE_LONG)


def test_what_prefect_yaml_deploys_is_what_one_machine_serves() -> None:
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    served = {made.name: made.entrypoint for made in deployments(Settings())}

    assert {made["name"]: made["entrypoint"] for made in written} == served
    tags = {made.name: made.tags for made in deployments(Settings())}
    assert {made["name"]: made["tags"] for made in written} == tags
    for made in written:
        module, _, name = made["entrypoint"].rpartition(".")
        flow = getattr(import_module(module), name)
        assert isinstance(flow, Flow)
        assert flow.name == made["name"]


def test_every_flow_is_deployed() -> None:
    flows = {
        f"meldbalie.{module}.{node.name}"
        for module, node in _every(ast.FunctionDef, ast.AsyncFunctionDef)
        if any(ast.unparse(decorator).startswith("flow") for decorator in node.decorator_list)
    }

    assert flows == {made.entrypoint for made in deployments(Settings())}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_of_the_command_line_is_there(command: tuple[str, str, str]) -> None:
    _, module, purpose = command
    implementation = import_module(module, "meldbalie")

    implementation.add_arguments(argparse.ArgumentParser())

    assert callable(implementation.run)
    assert purpose


def test_every_folder_with_modules_is_installed() -> None:
    packages = _project()["tool"]["setuptools"]["packages"]
    folders = {file.parent.relative_to(ROOT) for file in _files()}

    assert sorted(packages) == sorted(".".join(("meldbalie", *folder.parts)) for folder in folders)


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _locked(name: str) -> dict[str, str]:
    """The locked packages, each with its entry; an entry begins at the edge and goes on indented."""
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + (ROOT / name).read_text())
    return {re.split(r"[\[=]", entry)[0]: entry for entry in entries if "==" in entry}


LOCKS = ("requirements.txt", "requirements-dev.txt")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_get_packages_from(lock: str) -> None:
    named = [
        line
        for line in (ROOT / lock).read_text().splitlines()
        if "://" in line or re.match(r"\s*-(?!-hash=)", line)
    ]

    assert named == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_version_and_hashes(lock: str) -> None:
    locked = _locked(lock)

    assert len(locked) > 50
    assert [name for name, entry in locked.items() if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.txt", ["build"]), ("requirements-dev.txt", ["build", "dev"])]
)
def test_everything_that_the_project_depends_on_is_locked(lock: str, extras: list[str]) -> None:
    project = _project()["project"]
    wanted = project["dependencies"] + [
        one for extra in extras for one in project["optional-dependencies"][extra]
    ]
    names = {re.split(r"[\[<>=~! ]", one)[0].lower().replace(".", "-").replace("_", "-") for one in wanted}

    assert names - set(_locked(lock)) == set()
