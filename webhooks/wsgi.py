"""The app that gunicorn serves.

``python -m gunicorn --config python:meldbalie.webhooks.gunicorn_config meldbalie.webhooks.wsgi:app``
"""

from ..settings import settings
from .app import create_app

app = create_app(settings())
