"""What can be configured, made from settings.py: the reference in docs/ and a commented file.

Nothing here knows a setting by name but :data:`REQUIRED`: what only the operator can know.
"""

import argparse
import json
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ...settings import Settings

#: Written into a new file as they are, to be filled in; everything else stands there as a comment.
REQUIRED = (
    "organisation.name",
    "organisation.address",
    "organisation.policy_url",
    "organisation.public_url",
    "imap.host",
    "imap.user",
    "imap.password_file",
    "smtp.host",
    "smtp.user",
    "smtp.password_file",
    "pgp.fingerprint",
    "pgp.passphrase_file",
    "ibd.address",
    "ibd.fingerprint",
)
WORDS: Mapping[Any, str] = {str: "text", int: "number", float: "number", bool: "yes or no", Path: "path"}
HEAD = """\
# The configuration of Meldbalie. What is commented out has the value that it shows.
# Every setting can also come from the environment: MELDBALIE_IMAP__HOST is host in [imap].
# Secrets never stand here: a setting names the file that holds one.
# Try it with: meldbalie check
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: there are none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Print the reference."""
    del args
    print(settings_reference(), end="")
    return 0


def settings_reference() -> str:
    """Every setting with its kind, default and meaning, as Markdown tables."""
    parts = [part for name, field in Settings.model_fields.items() for part in _chapter(name, field)]
    return "\n".join(parts) + "\n"


def _chapter(name: str, field: FieldInfo) -> Iterator[str]:
    section, title = _section(field), f"[[{name}]]" if _is_list(field) else f"[{name}]"
    yield f"## `{title}`\n"
    yield f"{field.description or section.__doc__}\n"
    yield "| Setting | Kind | Default | Meaning |\n|---|---|---|---|"
    for setting, inner in section.model_fields.items():
        default = "required" if inner.is_required() else _default_in_words(inner)
        cells = (f"`{setting}`", kind_in_words(inner.annotation), default, inner.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default_in_words(field: FieldInfo) -> str:
    value = _default(field)
    return "none" if value is None or value in ("", []) else f"`{toml_value(value)}`"


def kind_in_words(kind: Any) -> str:
    """A type as an operator reads it."""
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is Annotated:
        return kind_in_words(arguments[0])
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(kind_in_words(argument) for argument in arguments)
    if get_origin(kind) is list:
        return f"list of {kind_in_words(arguments[0])}"
    if get_origin(kind) is tuple:
        return f"[{', '.join(map(kind_in_words, arguments))}]"
    if get_origin(kind) is dict:
        return f"table of names, each with a {kind_in_words(arguments[1])}"
    return WORDS[kind] if kind in WORDS else f"table of {', '.join(_fields(kind))}"


def commented_file(values: Mapping[str, object]) -> str:
    """A configuration file in which these values (``"imap.host": …``) and nothing else are set."""
    names = sorted(Settings.model_fields, key=lambda name: not any(_is_of(name, key) for key in REQUIRED))
    blocks = [_block(name, Settings.model_fields[name], values) for name in names]
    return "\n".join([HEAD, *blocks])


def _is_of(section: str, setting: str) -> bool:
    return setting.startswith(f"{section}.")


def _block(name: str, field: FieldInfo, values: Mapping[str, object]) -> str:
    section = _section(field)
    title = f"[[{name}]]" if _is_list(field) else f"[{name}]"
    lines = [f"# {field.description or section.__doc__}"]
    lines.append(title if _default(field) else f"# {title}")
    order = sorted(section.model_fields, key=lambda setting: f"{name}.{setting}" not in REQUIRED)
    for setting in order:
        lines += _lines(f"{name}.{setting}", setting, section.model_fields[setting], values)
    return "\n".join(lines) + "\n"


def _lines(key: str, setting: str, field: FieldInfo, values: Mapping[str, object]) -> Iterator[str]:
    yield f"# {field.description}"
    if key in values:
        yield f"{setting} = {toml_value(values[key])}"
    elif (value := _default(field)) is None:
        yield f'# {setting} = "…"'
    else:
        yield f"# {setting} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """A value as it stands in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case BaseModel():
            return toml_value({name: getattr(value, name) for name in type(value).model_fields})
        case dict():
            given = {name: one for name, one in cast(dict[str, Any], value).items() if one is not None}
            return f"{{ {', '.join(f'{name} = {toml_value(one)}' for name, one in given.items())} }}"
        case list() | tuple():
            return f"[{', '.join(map(toml_value, cast(list[Any], value)))}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is PydanticUndefined else value


def _section(field: FieldInfo) -> type[BaseModel]:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    raise TypeError(f"{field!r} is no table: settings belong in a section")


def _fields(kind: type[BaseModel]) -> list[str]:
    return [f"`{name}`" for name in kind.model_fields]


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is list
