"""One value of the operator's configuration is replaced, and nothing else of the file is touched."""

import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")


def replace_value(file: Path, table: str, name: str, old: str, new: str) -> bool:
    """Replace the text value of a setting, whole or not at all; ``False`` when the file does not have it
    on one line of its own."""
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        return False
    line = re.compile(rf"(\s*{re.escape(name)}\s*=\s*)([\"'])([0-9A-Za-z ]*)\2(.*)", re.DOTALL)
    lines, inside, changed = text.splitlines(keepends=True), False, 0
    for at, content in enumerate(lines):
        if heading := _TABLE.match(content):
            inside = heading.group(1).strip() == table
        elif content.lstrip().startswith("["):
            inside = False
        found = line.fullmatch(content) if inside else None
        if found and found.group(3).replace(" ", "").upper() == old:
            lines[at] = f'{found.group(1)}"{new}"{found.group(4)}'
            changed += 1
    written = "".join(lines)
    if changed != 1 or tomllib.loads(written).get(table, {}).get(name) != new:
        return False
    write_over(file.resolve(), written.encode())
    return True


def write_over(file: Path, content: bytes) -> None:
    """Put new content into a file, whole or not at all; who may read it stays as it is."""
    descriptor, draft = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        shutil.copymode(file, draft)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
