"""How gunicorn serves the app; each name is a setting of gunicorn's, and what varies is ours.

Its logs hold method, route, status, size and time taken: no path, no address. What it reports
itself is masked as well (discretion.py).
"""

from typing import Any

from ..settings import settings
from .discretion import ROUTE_KEY, DiscreetFormatter

_web = settings().web

bind = f"[{_web.host}]:{_web.port}" if ":" in _web.host else f"{_web.host}:{_web.port}"
workers = _web.workers
worker_class = "gthread"  # a slow reader holds up a thread, not a process
threads = 4
timeout = 60
proc_name = "meldbalie-web"
control_socket_disable = True

# Proxies are believed in one place only: ProxyFix, by web.proxies.
forwarded_allow_ips = ""

accesslog = "-"
access_log_format = f"%(m)s %({{{ROUTE_KEY}}}e)s %(s)s %(B)s %(M)sms"

logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "discreet": {
            "()": DiscreetFormatter,
            "fmt": "%(asctime)s [%(process)d] %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {
        "out": {"class": "logging.StreamHandler", "formatter": "discreet", "stream": "ext://sys.stdout"},
        "err": {"class": "logging.StreamHandler", "formatter": "discreet", "stream": "ext://sys.stderr"},
    },
    "root": {"level": "INFO", "handlers": ["err"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["err"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["out"], "propagate": False},
    },
}
