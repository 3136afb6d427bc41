"""Starts an AWS on this machine for the demonstration and the tests: ministack, on 127.0.0.1.

    scripts/python embedded_cloud.py run -- <command>...    run a command against it, and return
                                                            the command's exit status
    scripts/python embedded_cloud.py setup                  only make its Python environment

The command finds it by AWS_ENDPOINT_URL (and EMULATOR_URL), with credentials and region set and
the user's own AWS profile kept out. It ends with the command. The Python environment is made once,
outside the clone, from the pinned hashes in requirements.txt.

    EMBEDDED_CLOUD_VENV   folder of the Python environment (default: ~/.cache/ecr-promoter/venv-…)
    EMBEDDED_CLOUD_PORT   port to listen on (default: any free one)
    EMBEDDED_CLOUD_LOG    file that keeps ministack's own log
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

import pinned
from pinned import Problem, tail

# The account and region of events/*.json and of `sam local invoke`: all mean the same resources.
ACCOUNT = "012345678912"
REGION = "us-east-1"
START_SECONDS = 60
STOP_SECONDS = 10


def own_environment() -> dict[str, str]:
    """This environment without the user's own AWS profile, which could stop every client."""
    # AWS_LC_… are settings of a build.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") or name.startswith("AWS_LC_")
    }
    environment["AWS_CONFIG_FILE"] = environment["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    return environment


def forget_aws() -> None:
    """Takes the user's AWS profile out of the environment of this process."""
    environment = own_environment()
    os.environ.clear()
    os.environ.update(environment)


def python(tell: Callable[[str], None] = pinned.tell_on_stderr) -> Path:
    """The Python of the environment with ministack and boto3, which is made if it is missing."""
    folder = os.environ.get("EMBEDDED_CLOUD_VENV")
    environment = pinned.environment("requirements.txt", tell, Path(folder) if folder else None)
    return pinned.interpreter(environment)


def go_on_in_environment(script: str, tell: Callable[[str], None]) -> None:
    """Starts the script again with the Python that has ministack and boto3, unless it is that one.

    Of the Python that was called, nothing but its own library can be used.
    """
    pinned.go_on_with(python(tell), script)


def read(path: Path) -> str:
    """The text of a file; of a missing file, nothing."""
    try:
        return path.read_text()
    except OSError:
        return ""


class EmbeddedCloud(contextlib.AbstractContextManager["EmbeddedCloud"]):
    """Runs while its `with` block does, at `url`. Leaves no process and no file behind."""

    def __init__(self, **environment: str) -> None:
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.folder: Path | None = None
        self.url = ""

    def __enter__(self) -> Self:
        interpreter = python()
        self.folder = Path(tempfile.mkdtemp(prefix="ecr-promoter-"))
        try:
            self.start(interpreter, self.folder)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, interpreter: Path, folder: Path) -> None:
        """Starts the server and waits until it answers."""
        wanted = os.environ.get("EMBEDDED_CLOUD_PORT") or "0"
        # The socket is opened here and handed over: no other process can take the port in between,
        # and a request that comes early waits in it until ministack answers.
        with socket.socket() as listener:
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", int(wanted)))
            except (OSError, ValueError, OverflowError) as error:
                raise Problem(
                    f"port {wanted} (EMBEDDED_CLOUD_PORT) cannot be used on 127.0.0.1: {error}. "
                    "Name another or none."
                ) from error
            listener.listen(128)
            port = listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            log = Path(os.environ.get("EMBEDDED_CLOUD_LOG") or folder / "log")
            server = pinned.HERE / "embedded_server.py"
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    [interpreter, server, str(listener.fileno())],
                    env=self.server_environment(folder, port),
                    cwd=folder,
                    pass_fds=[listener.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(f"{self.url}/_ministack/health", timeout=START_SECONDS).close()
        except (OSError, urllib.error.URLError) as error:
            raise Problem(
                f"ministack did not start within {START_SECONDS} s on {self.url} ({error}). "
                f"It said:\n{tail(read(log) or 'nothing')}"
            ) from error

    def server_environment(self, folder: Path, port: int) -> dict[str, str]:
        """All that ministack and the functions that it runs see: nothing of the user's own."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "GATEWAY_PORT": str(port),
            "AWS_ENDPOINT_URL": self.url,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # These would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # ministack removes containers that it takes for its own: it is shown an engine that is
            # not there.
            "DOCKER_HOST": f"unix://{folder / 'no-engine.sock'}",
            **self.environment,
        }

    def client_environment(self) -> dict[str, str]:
        """The environment of a command that must talk to this cloud and to no other."""
        own = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        no_proxy = f"{own},127.0.0.1,localhost" if own else "127.0.0.1,localhost"
        return {
            **own_environment(),
            "AWS_ENDPOINT_URL": self.url,
            "EMULATOR_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # ministack takes twelve digits for the account.
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def mail(self) -> list[dict[str, Any]]:
        """The e-mails that SNS sent, oldest first: `to`, `subject`, `text` and `attributes`."""
        return self.kept("mail")

    def sessions(self) -> list[dict[str, Any]]:
        """Who assumed a role: `role`, `session_name` and `source_identity`, oldest first."""
        return self.kept("sessions")

    def kept(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file that the server writes."""
        assert self.folder is not None, "the cloud runs"
        lines = read(self.folder / name).splitlines(keepends=True)
        # The last line may be half written.
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def stop(self) -> None:
        """Ends the server and everything that it started, and removes its folder."""
        with without_signals():
            if self.process is not None:
                assert self.process.stdin is not None, "a pipe"
                self.process.stdin.close()  # the server ends at the end of its input
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=STOP_SECONDS)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                self.process = None
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Ignores signals: tidying up is short, and a second Ctrl-C must not cut it off."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Stopped(SystemExit):
    """A signal asked this process to end: it leaves through every `with`, as an exit does."""


def unwind_on_signals() -> None:
    """Turns signals into `Stopped`."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        raise Stopped(128 + number)

    for number in SIGNALS:
        signal.signal(number, stop)


def run(command: list[str]) -> int:
    """Runs the command against a new cloud and returns its exit status, as a shell does."""
    with EmbeddedCloud() as cloud:
        try:
            process = subprocess.Popen(command, env=cloud.client_environment())
        except OSError as error:
            raise Problem(f"{command[0]}: {error.strerror}") from error
        try:
            status = process.wait()
        except Stopped:
            with without_signals():
                process.terminate()
                try:
                    process.wait(timeout=STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            raise
    return status if status >= 0 else 128 - status


def main(arguments: list[str]) -> int:
    """Does what the arguments say, and returns the exit status."""
    unwind_on_signals()
    match arguments:
        case ["setup"]:
            print(python())
            return 0
        case ["run", "--", program, *rest]:
            return run([program, *rest])
        case ["run", program, *rest] if program != "--":
            return run([program, *rest])
    wants_help = arguments in (["--help"], ["-h"])
    print((__doc__ or "").strip(), file=sys.stdout if wants_help else sys.stderr)
    return 0 if wants_help else 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"embedded cloud: {problem}", file=sys.stderr)
        sys.exit(1)
