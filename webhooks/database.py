"""The database as seen from the web: the same tables and the same file or server as the flows use."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from ..models.session import WRITES, prepare
from ..models.session import Database as OpenDatabase
from ..models.tables import Base
from ..settings import Database, read_secret

db = SQLAlchemy(model_class=Base)


def open_database(app: Flask, config: Database) -> None:
    """Give an app its database; connections are made when they are first needed."""
    app.config["SQLALCHEMY_DATABASE_URI"] = _address(config)
    # A failing statement is reported without the values that it was given.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True, "hide_parameters": True}
    db.init_app(app)
    with app.app_context():
        prepare(db.engine)


@contextmanager
def writing() -> Generator[Session]:
    """A transaction that writes, committed on a good end; what was only read before has ended.

    SQLite refuses at once to let one write that has read before somebody else wrote.
    """
    session = db.session()
    session.rollback()
    session.connection(execution_options=WRITES)
    yield session
    session.commit()


def _address(config: Database) -> URL:
    opened = OpenDatabase(config.url, read_secret(config.password_file))
    opened.close()
    address = opened.engine.url
    if address.get_backend_name() != "sqlite" or not address.database or address.database == ":memory:":
        return address
    # Flask-SQLAlchemy would look for a relative path under the app's own folder.
    return address.set(database=str(Path(address.database).absolute()))
