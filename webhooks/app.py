"""The web app: status pages behind secret links, the same for programs, and its health.

It reads; all that it ever changes is whether somebody has seen a rung of the ladder, or confirms what they
want to do. Nothing that it serves needs JavaScript, a cookie, or another host.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

from werkzeug.middleware.proxy_fix import ProxyFix

from ..models.vault import vault
from ..settings import Settings, read_secret
from .acknowledging import acknowledging
from .api import offer_api, status_api
from .confirming import confirming
from .database import open_database
from .discretion import name_the_route, silence_the_development_server
from .health import health
from .language import speak
from .limits import limiter_for
from .pages import pages, secret_pages
from .promise import promise
from .refusals import refuse_alike
from .security import protect
from .site import Site
from .well_known import well_known
from .words import zone_in_words

ONE_HOUR = 3600
MOST_BYTES = 2**14  # nothing here takes a body


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def create_app(config: Settings, *, clock: Callable[[], datetime] = utc_now) -> Site:
    """The web app of one installation; takes the application keys into this process."""
    vault.unlock((read_secret(config.database.application_keys_file) or "").split())
    app = Site(config, clock)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = ONE_HOUR
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    open_database(app, config.database)
    speak(app)
    _say_who_we_are(app)
    _serve(app)
    _believe_proxies(app, config.web.proxies)
    silence_the_development_server()
    return app


def _serve(app: Site) -> None:
    app.before_request(name_the_route)
    app.after_request(protect)
    limiter = limiter_for(app)
    per_asker = limiter.shared_limit(app.settings.web.rate_limit, scope="secret link")
    for guarded in (secret_pages, status_api, acknowledging, confirming):
        per_asker(guarded)
    limiter.shared_limit(app.settings.web.rate_limit, scope="well known")(well_known)
    limiter.shared_limit(app.settings.web.rate_limit, scope="promise")(promise)
    for blueprint in (pages, secret_pages, acknowledging, confirming, health, well_known, promise):
        app.register_blueprint(blueprint)
    offer_api(app, version("meldbalie"))
    refuse_alike(app, limiter)


def _say_who_we_are(app: Site) -> None:
    @app.context_processor
    def who() -> dict[str, object]:  # pyright: ignore[reportUnusedFunction] - Flask calls it
        organisation = app.settings.organisation
        return {
            "organisation": organisation,
            "ibd": app.settings.ibd.name,
            "zone": zone_in_words(organisation.zone),
        }


def _believe_proxies(app: Site, proxies: int) -> None:
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0, x_prefix=0)
