#!/usr/bin/env python3
"""An AWS on this machine for the demonstration and the tests: ministack, on 127.0.0.1, gone when it is not needed any more.

    python3 scripts/embedded_cloud.py run -- <command>...    run a command against it, return its exit status
    python3 scripts/embedded_cloud.py setup                  only make the Python environment that it needs

The command finds it by AWS_ENDPOINT_URL (and EMULATOR_URL), with credentials and region set and the user's own AWS
profile kept out. The Python environment is made once, outside the clone, from the pinned hashes in requirements.txt.

    EMBEDDED_CLOUD_VENV   folder of the Python environment (default: ~/.cache/ecr-promoter/venv-<hash>)
    EMBEDDED_CLOUD_PORT   port to listen on (default: any free one)
    EMBEDDED_CLOUD_LOG    file that keeps ministack's own log
"""
# Read by whatever `python3` is: nothing newer than Python 3.6 above check_python(), or its message is never seen.
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

# The account and region of events/*.json and of `sam local invoke`, so that all of them mean the same resources.
ACCOUNT = "012345678912"
REGION = "us-east-1"
OLDEST = (3, 11)
HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 60


class Problem(Exception):
    """Something that the user can mend; the message says how."""


def own_environment():
    """This environment without the user's own AWS: a profile that is empty or that nobody made would stop every client."""
    # AWS_LC_… are settings of a build.
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("AWS_") or name.startswith("AWS_LC_")}
    environment.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")
    return environment


def forget_aws():
    """Replaces the environment of this process by that one: clients that it makes find nothing of the user's."""
    environment = own_environment()
    os.environ.clear()
    os.environ.update(environment)


def check_python():
    """Goes on with a newer Python of this machine where `python3` is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(20, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.{}".format(minor))
        if newer:
            sys.stdout.flush()
            os.execv(newer, [newer] + sys.argv)
    raise Problem("Python {}.{} or newer is needed; {} is {}. Install one (Debian, Ubuntu: `sudo apt install python3.11 "
                  "python3.11-venv`; macOS: `brew install python`).".format(
                      OLDEST[0], OLDEST[1], sys.executable, platform.python_version()))


def cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ecr-promoter")


def python(tell=lambda text: None):
    """The Python of the environment with ministack and boto3 in it, which is made if it is not there."""
    check_python()
    requirements = os.path.join(HERE, "requirements.txt")
    with open(requirements, "rb") as file:
        wanted = hashlib.sha256(file.read() + "{}{}".format(sys.version_info[:2], platform.machine()).encode()).hexdigest()
    folder = os.environ.get("EMBEDDED_CLOUD_VENV") or os.path.join(cache(), "venv-" + wanted[:12])
    interpreter = os.path.join(folder, "bin", "python")
    # Says whose folder this is, and once all is installed, for which requirements.
    mark = os.path.join(folder, "ecr-promoter")
    try:
        os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
        lock = open(folder + ".lock", "w")
    except OSError as error:
        raise Problem("{} cannot be written ({}): name another folder in EMBEDDED_CLOUD_VENV or XDG_CACHE_HOME."
                      .format(folder, error.strerror))
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if read(mark) != wanted or not os.access(interpreter, os.X_OK):
            if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(mark):
                raise Problem("{} is not empty and was not made by this script: name another folder in EMBEDDED_CLOUD_VENV."
                              .format(folder))
            tell("making the Python environment {} (once; about a minute)".format(folder))
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            write(mark, "")
            install(folder, interpreter, requirements)
            write(mark, wanted)
    return interpreter


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def install(folder, interpreter, requirements):
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        raise Problem("this Python has no `venv` module. Debian and Ubuntu have it in a package of its own: "
                      "`sudo apt install python{}.{}-venv`.".format(*sys.version_info))
    try:
        venv.create(folder, with_pip=True)
        pip = subprocess.run([interpreter, "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check",
                              "--no-input", "--quiet", "--requirement", requirements],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Problem("the Python environment {} could not be made: {}".format(folder, error))
    if pip.returncode:
        raise Problem("pip could not install scripts/requirements.txt. It needs a Python package index once (network, proxy, "
                      "or pip's own configuration). It said:\n" + tail(pip.stdout))


def tail(text):
    return "\n".join("    " + line for line in text.strip().splitlines()[-6:])


class EmbeddedCloud(contextlib.AbstractContextManager):
    """`with EmbeddedCloud() as cloud:` a running one, at cloud.url. Leaves no process and no file behind."""

    def __init__(self, **environment):
        self.environment, self.process, self.folder, self.url = environment, None, None, None

    def __enter__(self):
        interpreter = python(lambda text: print(text, file=sys.stderr, flush=True))
        self.folder = tempfile.mkdtemp(prefix="ecr-promoter-")
        try:
            self.start(interpreter)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, interpreter):
        wanted = os.environ.get("EMBEDDED_CLOUD_PORT") or "0"
        # The socket is opened here and handed over: no other process can take the port in between, and a request
        # that comes early waits in it until ministack answers.
        with socket.socket() as listener:
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", int(wanted)))
            except (OSError, ValueError, OverflowError) as error:
                raise Problem("port {} (EMBEDDED_CLOUD_PORT) cannot be used on 127.0.0.1: {}. Name another or none."
                              .format(wanted, error))
            listener.listen(128)
            port = listener.getsockname()[1]
            self.url = "http://127.0.0.1:{}".format(port)
            log = os.environ.get("EMBEDDED_CLOUD_LOG") or os.path.join(self.folder, "log")
            with open(log, "ab") as output:
                self.process = subprocess.Popen(
                    [interpreter, os.path.join(HERE, "embedded_server.py"), str(listener.fileno())],
                    env=self.server_environment(port), cwd=self.folder, pass_fds=[listener.fileno()],
                    stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True)
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(self.url + "/_ministack/health", timeout=START_SECONDS).close()
        except (OSError, urllib.error.URLError) as error:
            raise Problem("ministack did not start within {} s on {} ({}). It said:\n{}"
                          .format(START_SECONDS, self.url, error, tail(read(log) or "nothing")))

    def server_environment(self, port):
        """All that ministack sees, and with it the functions that it runs: nothing of the user's own environment."""
        return {
            "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": self.folder, "TMPDIR": self.folder,
            "STATE_DIR": os.path.join(self.folder, "state"), "S3_DATA_DIR": os.path.join(self.folder, "s3"),
            "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": self.url,
            "MINISTACK_ACCOUNT_ID": ACCOUNT, "MINISTACK_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            # These would listen on every interface.
            "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
            # ministack removes containers that it takes for its own: it is shown an engine that is not there.
            "DOCKER_HOST": "unix://" + os.path.join(self.folder, "no-engine.sock"),
            **self.environment,
        }

    def client_environment(self):
        """The environment of a command that is to talk to this cloud and to no other."""
        environment = own_environment()
        no_proxy = ",".join(filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1,localhost"]))
        environment.update({
            "AWS_ENDPOINT_URL": self.url, "EMULATOR_URL": self.url,
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            # ministack takes twelve digits for the account.
            "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test",
            "NO_PROXY": no_proxy, "no_proxy": no_proxy,
        })
        return environment

    def mail(self):
        """The e-mails that SNS has sent, oldest first: `to`, `subject`, `text` and the message's `attributes`."""
        return [json.loads(line) for line in (read(os.path.join(self.folder, "mail")) or "").splitlines(keepends=True)
                if line.endswith("\n")]

    def stop(self):
        with without_signals():
            if self.process is not None:
                self.process.stdin.close()  # the server ends at the end of its input
                try:
                    self.process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    pass
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                self.process = None
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None


@contextlib.contextmanager
def without_signals():
    """Tidying up is short and must not be cut off by a second Ctrl-C."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Stopped(SystemExit):
    """A signal asked this process to end: it unwinds like an exit, through every `with`."""


def unwind_on_signals():
    def stop(number, _):
        raise Stopped(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def run(command):
    """Runs the command against a new cloud and returns its exit status, as a shell would report it."""
    with EmbeddedCloud() as cloud:
        try:
            process = subprocess.Popen(command, env=cloud.client_environment())
        except OSError as error:
            raise Problem("{}: {}".format(command[0], error.strerror))
        try:
            status = process.wait()
        except Stopped:
            with without_signals():
                process.terminate()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            raise
    return status if status >= 0 else 128 - status


def main(arguments):
    unwind_on_signals()
    if arguments == ["setup"]:
        print(python(lambda text: print(text, file=sys.stderr, flush=True)))
        return 0
    if arguments[:1] == ["run"] and arguments[1:] not in ([], ["--"]):
        return run(arguments[2:] if arguments[1] == "--" else arguments[1:])
    print(__doc__.strip(), file=sys.stdout if arguments in (["--help"], ["-h"]) else sys.stderr)
    return 0 if arguments in (["--help"], ["-h"]) else 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print("embedded cloud: {}".format(problem), file=sys.stderr)
        sys.exit(1)
