"""The reverse proxy of docs/install.md: its configuration as it stands there, in a real nginx on loopback."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from meldbalie.flows.operator.certificate import write_certificate
from meldbalie.tests.ports import free_port
from meldbalie.tests.waiting import until

INSTALL = Path(__file__).parents[1] / "docs" / "install.md"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
DESK = "balie.voorbeeld.example"
PASSWORD = "twaalf groene flessen"
AROUND = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ }}
http {{
    access_log {home}/access.log;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    scgi_temp_path {home}/scgi;
    uwsgi_temp_path {home}/uwsgi;
{documented}
}}
"""


def documented_blocks() -> tuple[str, str]:
    """The configuration with passwords, and what client certificates put in their place."""
    section = INSTALL.read_text(encoding="utf-8").partition("## The reverse proxy")[2].partition("\n## ")[0]
    with_passwords, certificates = re.findall(r"^```nginx\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return with_passwords, certificates


def with_client_certificates() -> str:
    """The documented configuration, changed as the document says."""
    block, certificates = documented_blocks()
    for_all, for_server, for_location = certificates.split("\n\n")
    block, replaced = re.subn(r" *auth_basic .*\n *auth_basic_user_file .*\n", f"{for_server}\n", block)
    block, replaced_too = re.subn(r" *proxy_set_header X-Remote-User \$remote_user;\n", for_location, block)
    assert (replaced, replaced_too) == (1, 1)
    return f"{for_all}\n{block}"


@contextmanager
def reverse_proxy(home: Path, documented: str, *, prefect: int, accounts: tuple[str, ...]) -> Generator[int]:
    """A running nginx; only ports and paths are not those of the document. Gives its port."""
    port = free_port()
    write_certificate(home)
    (home / "meldbalie-handlers").write_text("".join(f"{name}:{_hashed(PASSWORD)}\n" for name in accounts))
    for there, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:4200": f"127.0.0.1:{prefect}",
        "/etc/ssl/meldbalie/fullchain.pem": f"{home}/server.crt",
        "/etc/ssl/meldbalie/key.pem": f"{home}/server.key",
        "/etc/nginx/": f"{home}/",
        "/var/log/nginx/": f"{home}/",
    }.items():
        assert there in documented
        documented = documented.replace(there, here)
    (home / "nginx.conf").write_text(AROUND.format(home=home, documented=documented))
    command = [NGINX, "-p", str(home), "-e", f"{home}/error.log", "-c", f"{home}/nginx.conf"]
    process = subprocess.Popen(command, env={"PATH": os.defpath})
    try:
        until(lambda: process.poll() is not None or _listens(port), "nginx")
        assert process.poll() is None, (home / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hashed(password: str) -> str:
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    return hashed.stdout.strip()
