"""`up`: children start in order, are restarted, stop in reverse, and never outlive their supervisor."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from meldbalie.__main__ import main
from meldbalie.flows.operator import children, leash
from meldbalie.flows.operator.logs import Logs
from meldbalie.flows.operator.supervisor import Child, ChildFailed, Supervisor
from meldbalie.flows.operator.up import CannotStart, locked, require_free_ports
from meldbalie.settings import CONFIG_VARIABLE, Prefect, Settings, settings
from meldbalie.tests.ports import free_port
from meldbalie.tests.prefect_server import PrefectServer

QUICKLY = (0.01,)

# Says in a file that it runs and that it is told to stop; `ready` is a file, so that a test can wait for it.
WORKER = """
import os, pathlib, signal, sys
here, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def say(what):
    with (here / "said").open("a") as said: said.write(f"{name} {what}\\n")
def stop(*_):
    say("stops"); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
say("starts")
(here / f"{name}.pids").write_text(f"{os.getpid()} {os.getppid()}")
(here / f"{name}.ready").touch()
while True: signal.pause()
"""

DEAF = """
import pathlib, signal, sys
signal.alarm(60)  # in case the test fails
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True: signal.pause()
"""

# A child whose own child, deaf and with a session of its own, would outlive everybody.
PARENT = f"""
import pathlib, signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", {DEAF!r}, sys.argv[1]], start_new_session=True)
signal.alarm(60)
while True: signal.pause()
"""

SUPERVISED = """
import sys
from pathlib import Path
from meldbalie.flows.operator.supervisor import Child, Supervisor
from meldbalie.flows.operator.up import stopping_on_signals
program, *words = sys.argv[2:]
ready = Path(sys.argv[1])
child = Child("child", [sys.executable, "-c", program, *words], {}, is_ready=ready.exists, grace=0.1)
supervisor = Supervisor([child], say=lambda line: print(line, flush=True))
with stopping_on_signals(supervisor, lambda line: print(line, flush=True)), supervisor:
    supervisor.wait()
"""


class Said(list[str]):
    """The supervisor's lines; what a test wants to happen upon one of them happens."""

    def __init__(self) -> None:
        super().__init__()
        self.upon: list[tuple[str, Callable[[], None]]] = []

    def __call__(self, line: str) -> None:
        self.append(line)
        for position, (part, act) in enumerate(self.upon):
            if part in line:
                del self.upon[position]
                act()
                break


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def worker(tmp_path: Path) -> Callable[[str], Child]:
    def make(name: str, grace: float = 15) -> Child:
        command = [sys.executable, "-c", WORKER, str(tmp_path), name]
        return Child(name, command, {}, is_ready=(tmp_path / f"{name}.ready").exists, grace=grace)

    return make


def test_children_start_in_order_and_stop_in_reverse(
    worker: Callable[[str], Child], said: Said, tmp_path: Path
):
    with Supervisor([worker("server"), worker("runner"), worker("web")], say=said):
        assert [line.split()[:2] for line in said] == [
            ["server", "ready"],
            ["runner", "ready"],
            ["web", "ready"],
        ]

    assert (tmp_path / "said").read_text().splitlines() == [
        *("server starts", "runner starts", "web starts"),
        *("web stops", "runner stops", "server stops"),
    ]


def test_a_child_that_dies_is_started_again_and_that_is_said(
    worker: Callable[[str], Child], said: Said, tmp_path: Path
):
    supervisor = Supervisor([worker("web")], say=said, restart_waits=(0.01, 0.02))

    def kill() -> None:
        pid, _ = (tmp_path / "web.pids").read_text().split()
        (tmp_path / "web.ready").unlink()
        os.kill(int(pid), signal.SIGKILL)

    said.upon = [("ready", kill), ("ready", kill), ("ready", supervisor.ask_to_stop)]

    with supervisor:
        supervisor.wait()

    assert (tmp_path / "said").read_text().splitlines() == [*["web starts"] * 3, "web stops"]
    restarts = [line.split("; ")[1] for line in said if "SIGKILL" in line]
    assert restarts == ["starts again in 0.01 s", "starts again in 0.02 s"]


def test_a_child_whose_leash_is_killed_is_cleared_away_before_it_starts_again(
    worker: Callable[[str], Child], said: Said, tmp_path: Path
):
    supervisor = Supervisor([worker("web")], say=said, restart_waits=QUICKLY)
    first: list[int] = []

    def kill_leash() -> None:
        pid, leash_pid = map(int, (tmp_path / "web.pids").read_text().split())
        (tmp_path / "web.ready").unlink()
        first.append(os.pidfd_open(pid))
        os.kill(leash_pid, signal.SIGKILL)

    said.upon = [("ready", kill_leash), ("ready", supervisor.ask_to_stop)]

    with supervisor:
        supervisor.wait()

    ended, _, _ = select.select(first, [], [], 10)
    assert ended == first
    os.close(first[0])


def test_a_child_that_fails_at_the_start_is_shown_with_its_last_words(
    worker: Callable[[str], Child], said: Said, tmp_path: Path
):
    dying = [sys.executable, "-c", "print('the port is taken'); raise SystemExit(3)"]
    supervisor = Supervisor(
        [worker("server"), Child("web", dying, {}, is_ready=lambda: False)],
        say=said,
        logs=Logs(tmp_path / "log"),
    )

    with pytest.raises(ChildFailed) as failure:
        supervisor.start()

    assert "web stopped with exit status 3 before it was ready" in str(failure.value)
    assert "web | the port is taken" in str(failure.value)
    assert (tmp_path / "said").read_text().splitlines()[-1] == "server stops"


def test_a_child_that_never_becomes_ready_is_given_up(said: Said):
    idle = [sys.executable, "-c", "import signal; signal.pause()"]
    child = Child("web", idle, {}, is_ready=lambda: False, seconds_to_start=0.01)

    with pytest.raises(ChildFailed, match="is not ready after"):
        Supervisor([child], say=said).start()


def test_a_child_that_will_not_stop_is_killed_after_its_grace(said: Said, tmp_path: Path):
    ready = tmp_path / "ready"
    child = Child("deaf", [sys.executable, "-c", DEAF, str(ready)], {}, is_ready=ready.exists, grace=0.1)
    supervisor = Supervisor([child], say=said)

    supervisor.start()
    supervisor.stop()

    assert said[-1] == "deaf  stopped"


def test_stopping_while_a_child_is_still_starting_ends_the_wait(said: Said):
    idle = [sys.executable, "-c", "import signal; signal.pause()"]
    supervisor: Supervisor
    child = Child("web", idle, {}, is_ready=lambda: supervisor.ask_to_stop() is not None)
    supervisor = Supervisor([child], say=said)

    with supervisor:
        supervisor.wait()

    assert said == ["web  stopped"]


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path):
    ready = tmp_path / "ready"

    with supervised(ready, PARENT, str(ready)) as supervisor:
        assert "ready" in next_line(supervisor)
        supervisor.kill()
        said = everything_until_all_ended(supervisor)

    assert said == ""


def test_nothing_outlives_a_supervisor_that_stops(tmp_path: Path):
    ready = tmp_path / "ready"

    with supervised(ready, PARENT, str(ready)) as supervisor:
        assert "ready" in next_line(supervisor)
        supervisor.terminate()
        said = everything_until_all_ended(supervisor)

    assert said.splitlines() == ["SIGTERM: stopping", "child  stopped"]


def test_ctrl_c_reaches_the_supervisor_only(tmp_path: Path):
    with supervised(tmp_path / "web.ready", WORKER, str(tmp_path), "web") as supervisor:
        assert "ready" in next_line(supervisor)
        os.killpg(supervisor.pid, signal.SIGINT)
        said = everything_until_all_ended(supervisor)

    assert said.splitlines() == ["SIGINT: stopping", "child  stopped"]
    assert (tmp_path / "said").read_text().splitlines() == ["web starts", "web stops"]


def test_a_leash_whose_supervisor_is_already_gone_starts_nothing(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, leash.__file__, "1", "1", "-1", "touch", str(tmp_path / "started")], check=False
    )

    assert ended.returncode == 1
    assert not (tmp_path / "started").exists()


def test_the_exit_status_of_a_command_passes_through_its_leash():
    own = str(os.getpid())
    words = [sys.executable, leash.__file__, own, "1", "-1", sys.executable, "-c"]

    assert subprocess.run([*words, "raise SystemExit(7)"], check=False).returncode == 7
    assert subprocess.run([*words, "import os; os.kill(os.getpid(), 9)"], check=False).returncode == 128 + 9


def test_two_supervisors_in_one_directory_refuse_with_the_pid_of_the_first(tmp_path: Path):
    with (
        locked(tmp_path),
        pytest.raises(CannotStart, match=rf"already runs here \(process {os.getpid()} holds"),
        locked(tmp_path),
    ):
        pass


def test_a_lock_file_that_nobody_holds_means_nothing(tmp_path: Path):
    (tmp_path / "up.lock").write_text("1\n")

    with locked(tmp_path):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


def test_what_a_killed_supervisor_started_is_waited_for(said: Said, tmp_path: Path):
    with locked(tmp_path) as descriptor:
        left_behind = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[descriptor])
    assert left_behind.stdin
    said.upon = [("waiting", left_behind.stdin.close)]

    with locked(tmp_path, said):
        assert said == ["an earlier Meldbalie was killed; waiting for what it had started to end"]
    left_behind.wait()


def test_a_child_holds_the_lock_and_what_it_starts_does_not(tmp_path: Path, said: Said):
    looking = (
        "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text("
        "' '.join(os.readlink(f'/proc/{pid}/fd/{fd}') + '@' + pid for pid in ('self', str(os.getppid()))"
        " for fd in os.listdir(f'/proc/{pid}/fd') if os.path.islink(f'/proc/{pid}/fd/{fd}')));"
        "os.rename(sys.argv[1], sys.argv[2]); import signal; signal.pause()"
    )
    seen = tmp_path / "seen"
    command = [sys.executable, "-c", looking, str(tmp_path / "writing"), str(seen)]

    with (
        locked(tmp_path) as lock,
        Supervisor([Child("child", command, {}, is_ready=seen.exists)], say=said, lock=lock),
    ):
        held = [entry.split("@")[1] for entry in seen.read_text().split() if ".lock@" in entry]

    assert len(held) == 1
    assert held != ["self"]


def test_a_port_in_use_is_named_with_its_setting_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = Child("web", ["true"], {}, listens_on=("127.0.0.1", port), port_setting="web.port")

        with pytest.raises(CannotStart, match=rf"web cannot listen on port {port}: it is in use.*web\.port"):
            require_free_ports([child])


def test_a_log_that_grew_too_large_is_put_away_while_its_process_writes_on(tmp_path: Path):
    logs = Logs(tmp_path, max_bytes=10)
    descriptor = logs.open("web")
    assert descriptor is not None
    os.write(descriptor, b"a line that is too long\n")

    logs.turn("web")
    os.write(descriptor, b"more\n")
    logs.turn("web")

    assert (tmp_path / "web.log").read_text() == "more\n"
    assert (tmp_path / "web.log.1").read_text() == "a line that is too long\n"
    assert (tmp_path / "web.log").stat().st_mode & 0o777 == 0o600
    os.close(descriptor)


def test_children_get_our_prefect_settings_and_none_of_the_operators(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere.example/api")
    monkeypatch.setenv("PREFECT_API_KEY", "a key for elsewhere")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    (tmp_path / "auth").write_text("desk:a long password\n")
    config = Settings(prefect=Prefect(port=4999, home=tmp_path / "prefect", auth_file=tmp_path / "auth"))

    server = children.prefect_server(config).environment
    runner = children.flow_runner(config).environment
    web = children.web_app(config).environment

    for environment in (server, runner, web):
        assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4999/api"
        assert environment["PREFECT_API_AUTH_STRING"] == "desk:a long password"
        assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
        assert environment["DO_NOT_TRACK"] == "1"
        assert not {"PREFECT_API_KEY", "NOTIFY_SOCKET"} & environment.keys()
    assert server["PREFECT_SERVER_API_AUTH_STRING"] == "desk:a long password"
    assert server["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    assert "*" not in server["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert not [name for name in web if name.startswith("PREFECT_SERVER_API")]


def test_no_secret_of_a_child_shows_when_it_is_printed(tmp_path: Path):
    (tmp_path / "auth").write_text("desk:a long password")
    config = Settings(prefect=Prefect(auth_file=tmp_path / "auth"))

    assert "a long password" not in repr(children.prefect_server(config))


class supervised:  # noqa: N801  (a context manager)
    """A supervisor in a process and a process group of its own, killed in the end whatever happens."""

    def __init__(self, ready: Path, program: str, *words: str) -> None:
        self.command = [sys.executable, "-c", SUPERVISED, str(ready), program, *words]

    def __enter__(self) -> "subprocess.Popen[str]":
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def next_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def everything_until_all_ended(process: "subprocess.Popen[str]") -> str:
    """What is said until the pipe ends, which is when the last process that holds it has ended."""
    assert process.stdout
    said = b""
    while select.select([process.stdout], [], [], 120)[0]:
        if not (more := os.read(process.stdout.fileno(), 4096)):
            return said.decode()
        said += more
    pytest.fail("a process that the supervisor started still runs")


@pytest.fixture
def installed(prefect_api: PrefectServer) -> Iterator[Path]:
    """A directory that `init` made, on the session's Prefect server."""
    directory = Path(tempfile.mkdtemp(prefix="mbu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG_VARIABLE, "")
        assert main(["init", "--directory", str(directory)]) == 0
    settings.cache_clear()
    file = directory / "meldbalie.toml"
    written = file.read_text().replace('# api_url = ""', f'api_url = "{prefect_api.api_url}"')
    file.write_text(written.replace("# port = 8600", f"port = {free_port()}"))
    for name in ("imap", "smtp"):
        (directory / f"secrets/{name}.password").write_text("a password")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def test_up_runs_the_flows_and_the_web_app_and_tells_systemd(installed: Path):
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(installed / "notify"))
    told.settimeout(120)
    environment = {**os.environ, "NOTIFY_SOCKET": str(installed / "notify")}
    environment.pop(CONFIG_VARIABLE, None)
    command = [sys.executable, "-m", "meldbalie", "up"]

    with subprocess.Popen(command, cwd=installed, env=environment, stdout=subprocess.PIPE, text=True) as up:
        assert told.recv(100) == b"READY=1"
        again = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True)
        up.terminate()
        said = everything_until_all_ended(up)

    assert again.returncode == 1
    assert f"already runs here (process {up.pid} holds" in again.stdout
    assert up.returncode == 0
    assert told.recv(100) == b"STOPPING=1"
    told.close()
    lines = [line for line in said.splitlines() if "still starting" not in line]
    assert [line.split()[:2] for line in lines[1:3]] == [["flows", "ready"], ["web", "ready"]]
    assert lines[3:] == ["SIGTERM: stopping", "web    stopped", "flows  stopped", "everything has stopped"]
    for log in (installed / "var/log").iterdir():
        assert log.stat().st_mode & 0o777 == 0o600


def test_flows_that_cannot_start_are_shown_with_their_reason(installed: Path):
    (installed / "secrets/imap.password").unlink()
    environment = {name: value for name, value in os.environ.items() if name != CONFIG_VARIABLE}

    ended = subprocess.run(
        [sys.executable, "-m", "meldbalie", "up"],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    assert "flows stopped with exit status 2 before it was ready" in ended.stdout
    assert "flows | meldbalie: the secret file secrets/imap.password cannot be read" in ended.stdout
