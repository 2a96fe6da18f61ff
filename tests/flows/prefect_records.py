"""All that a Prefect server keeps: every row of every table, and every file; for what may not be there."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from meldbalie.tests.prefect_server import PrefectServer

LEAST_IN_BASE64 = 8  # letters: fewer stand in what is random as well


def rows(server: PrefectServer) -> Iterator[tuple[str, bytes]]:
    """Every value in Prefect's database, and the table and column that it stands in."""
    with closing(sqlite3.connect(f"file:{server.home / 'prefect.db'}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        for (table,) in tables.fetchall():
            found = database.execute(f'SELECT * FROM "{table.decode()}"')
            columns = [column[0] for column in found.description]
            for row in found:
                for column, value in zip(columns, row, strict=True):
                    if value is not None:
                        yield f"{table.decode()}.{column}", _as_bytes(value)


def tables_with_rows(server: PrefectServer) -> set[str]:
    """The tables in which something stands."""
    return {place.partition(".")[0] for place, _ in rows(server)}


def files(*directories: Path, beside: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below some directories, except below those that may hold what it is looked for."""
    left_out = tuple(beside)
    for directory in directories:
        for file in sorted(directory.rglob("*")):
            if not any(file.is_relative_to(one) for one in left_out) and file.is_file():
                yield str(file.relative_to(directory.parent)), file.read_bytes()


def found(canaries: Mapping[str, str], kept: Iterable[tuple[str, bytes]]) -> set[str]:
    """Which canaries stand where, as ``place: name of the canary``."""
    shapes = {name: tuple(_shapes(canary)) for name, canary in canaries.items()}
    sightings = set[str]()
    for place, value in kept:
        lower = value.lower()
        for name, (plain, encoded) in shapes.items():
            if any(one in lower for one in plain) or any(one in value for one in encoded):
                sightings.add(f"{place}: {name}")
    return sightings


def _shapes(canary: str) -> Iterator[tuple[bytes, ...]]:
    """A canary as it may be written: in any case, escaped for JSON or a URL; and in base64."""
    lower = canary.lower()
    escaped = json.dumps(lower)[1:-1]
    yield tuple(
        {one.encode() for one in (lower, escaped, escaped.replace("\\", "\\\\"), quote(lower).lower())}
    )
    # Four letters are three bytes, and those at either end may be of its neighbours as well.
    encoded = (
        base64.b64encode(b"\0" * before + canary.encode())[4 if before else 0 : -4] for before in range(3)
    )
    yield tuple(one for one in encoded if len(one) >= LEAST_IN_BASE64)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
