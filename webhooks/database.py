"""The database as seen from the web: the same tables and the same file or server as the flows use."""

from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import URL

from ..models.session import Database as OpenDatabase
from ..models.session import prepare
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


def _address(config: Database) -> URL:
    opened = OpenDatabase(config.url, read_secret(config.password_file))
    opened.close()
    address = opened.engine.url
    if address.get_backend_name() != "sqlite" or not address.database or address.database == ":memory:":
        return address
    # Flask-SQLAlchemy would look for a relative path under the app's own folder.
    return address.set(database=str(Path(address.database).absolute()))
