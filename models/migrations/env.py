"""What alembic runs for each command: on the connection and the tables that models/migrate.py gives.

Alembic loads this file by its path, outside the package, so it imports nothing of ours.
"""

from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Enum, String
from sqlalchemy.types import TypeDecorator


def plain_type(kind: str, item: Any, autogen: AutogenContext) -> Any:
    """Write a column type of ours as the database's own, so that a migration needs no code of ours."""
    del autogen
    if kind == "type" and isinstance(item, Enum):
        return f"sa.{String(item.length)!r}"
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


given = context.config.attributes
context.configure(
    connection=given["connection"],
    target_metadata=given["metadata"],
    render_as_batch=True,
    render_item=plain_type,
)
context.run_migrations()
