"""Runs the payloads of events/ through `sam build` and `sam local invoke`, on an embedded AWS.

    scripts/sam-local                              every payload
    scripts/sam-local ecr-push sns-promote         these
    scripts/sam-local --validate                   only `sam validate --lint`, without an engine

Prints what the function answered to each, and exits with 1 where an answer is wrong. Each payload
finds the same account: template.yaml and the examples deployed, one image as `latest`, nothing
promoted yet.

Needs Rust and a running Docker engine. Without the engine it says so and leaves all of it out;
payloads that are asked for by name are then an error. Where `sam` and `cargo-lambda` are not
installed it makes a Python environment with them, once, from the hashes in sam-requirements.txt.
The function's container reaches the embedded cloud, which listens on 127.0.0.1 only, through a
forwarder on the address that Docker's own bridge has on this machine.
"""

import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple, Self

import demo
import embedded_cloud
import pinned
from account import ROOT, Aws, Image, Json
from embedded_cloud import REGION, EmbeddedCloud
from pinned import Problem

BASE_IMAGE = f"public.ecr.aws/lambda/provided:al2023-{demo.architecture()}"
PARAMETERS = ("--parameter-overrides", f"Architecture={demo.architecture()}")
FUNCTION = "EcrPromoterFunction"

# The image that the payloads of events/ name. What is pushed here has a digest of its own, which
# takes its place.
SAMPLE_DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"

# The outcome of each payload. A payload that is not here may have any answer.
OUTCOMES = {
    "ecr-push": "promoted",
    "sns-promote": "promoted",
    "sns-promote-json": "promoted",
    "sns-promote-commit": "promoted",
    "command-promote": "promoted",
    "command-promote-commit": "promoted",
    "ecr-delete": "ignored",
    "ecr-pull-through-cache": "ignored",
    "ecr-pull-through-cache-documented": "ignored",
    "ecr-push-empty-tag": "ignored",
    "ecr-push-failure": "ignored",
    "ecr-push-other-account": "ignored",
    "ecr-push-other-region": "ignored",
    "ecr-push-other-tag": "ignored",
    "ecr-push-production-tag": "ignored",
    "ecr-push-signature": "ignored",
    "ecr-push-unknown-repository": "ignored",
    "ecr-push-untagged": "ignored",
    "ecr-replication": "ignored",
    "sns-notification": "ignored",
    # Nothing is being verified, and nothing bakes.
    "ecs-deployment-completed": "ignored",
    "ecs-deployment-failed": "ignored",
    "ecs-service-steady-state": "ignored",
    "alarm-state-change": "ignored",
    # The function knows nothing about the app yet: it notes what runs, and promotes nothing.
    "cfn-update-complete": "unchanged",
    "cfn-rollback-complete": "unchanged",
    "scheduled": "unchanged",
    "command-reconcile": "unchanged",
    # Nothing is under way, and nothing was deployed before.
    "command-cancel": "refused",
    "command-rollback": "refused",
    "command-hold": "held",
    "command-resume": "resumed",
    # Nobody was asked: to approve the candidate is to promote it, to reject it ends its candidacy.
    "command-approve": "promoted",
    "sns-approve": "promoted",
    "command-reject": "rejected",
    "command-ask": "approval_requested",
}
# These come by the function URL. A signature of Slack's from long ago does not count.
STATUSES = {
    "slack-approve": 401,
    "slack-command": 401,
}
# The answers to these have no outcome.
OWN_ANSWERS = (
    "command-plan",
    "command-status",
    "command-history",
    "command-check",
    "command-audit",
)


class LeftOut(Exception):
    """This machine lacks what `sam local invoke` needs."""


def output(*command: str) -> str | None:
    """What a command prints, or None where it fails or is not there."""
    try:
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()


def engine() -> str:
    """The name of the system that Docker's engine runs on."""
    system = output("docker", "info", "--format", "{{.OperatingSystem}}")
    if not system:
        raise LeftOut("there is no running Docker engine")
    return system


def path_with_tools() -> str:
    """A PATH on which `sam` and `cargo-lambda` are."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("sam") and shutil.which("cargo-lambda"):
        return path
    try:
        # cargo-lambda finds the linker, zig, through the Python beside it: one environment for all.
        tools = pinned.environment("sam-requirements.txt") / "bin"
    except Problem as problem:
        raise LeftOut(str(problem)) from problem
    return f"{tools}{os.pathsep}{path}"


def pull_base_image() -> None:
    """Makes sure that the image of the function's container is here."""
    if output("docker", "image", "inspect", BASE_IMAGE) is not None:
        return
    if output("docker", "pull", "--quiet", BASE_IMAGE) is None:
        raise LeftOut(f"the image {BASE_IMAGE} is not here and could not be pulled")


def sam(
    environment: dict[str, str], *arguments: str | Path, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Runs `sam` in the clone."""
    command = ["sam", *map(str, arguments)]
    # `sam` is looked up on the PATH of this process.
    os.environ["PATH"] = environment["PATH"]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, check=False, **more)


def sam_environment(path: str, base: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of `sam`, which needs no credentials."""
    own = {"PATH": path, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    return {**(base or os.environ), **own}


class Forwarder(contextlib.AbstractContextManager["Forwarder"]):
    """Lets containers reach a port of 127.0.0.1.

    Listens where they, and nobody outside of this machine, can connect.
    """

    to: tuple[str, int]

    def __init__(self, system: str) -> None:
        # Docker Desktop forwards this name to the loopback of the machine; elsewhere the bridge's
        # own address must do.
        if system == "Docker Desktop":
            name, address = "host.docker.internal", "127.0.0.1"
        else:
            name = address = bridge()
        try:
            self.listener = socket.create_server((address, 0))
        except OSError as error:
            raise LeftOut(
                f"Docker's bridge {address} is not on this machine ({error}): rootless and remote "
                "engines are not supported"
            ) from error
        self.url = f"http://{name}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def accept(self) -> None:
        """Connects each client to the port."""
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.to)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket) -> None:
        """Copies one direction of a connection until it ends."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def bridge() -> str:
    """The address of this machine in the network that `sam local` puts its containers into."""
    networks = json.loads(output("docker", "network", "inspect", "bridge") or "[]")
    for network in networks:
        for config in network["IPAM"]["Config"] or []:
            subnet = ipaddress.ip_network(config["Subnet"])
            if subnet.version == 4:
                return str(config.get("Gateway") or subnet[1])
    raise LeftOut("Docker has no bridge network")


class Account:
    """What each payload finds, and finds again after another one changed it."""

    def __init__(self, cloud: EmbeddedCloud, bootstrap: Path) -> None:
        self.aws = Aws(cloud)
        self.demo = demo.Demo(demo.Report(verbose=False), self.aws)
        self.demo.deploy(bootstrap)
        image = Image(self.aws.ecr, COMMIT)
        self.digest = image.push(with_attestation=False)[0].removeprefix("sha256:")
        self.outputs = self.demo.outputs
        self.table = self.aws.dynamodb.Table(self.outputs["StateTableName"])
        self.parameters = self.current()

    def current(self) -> dict[str, str]:
        """The parameters of the app's stack."""
        parameters = self.aws.settled("web")["Parameters"]
        return {one["ParameterKey"]: one["ParameterValue"] for one in parameters}

    def reset(self) -> None:
        """Makes the account as it was."""
        for item in self.table.scan()["Items"]:
            self.table.delete_item(Key={"app": item["app"], "item": item["item"]})
        if self.current() != self.parameters:
            changed = {"ProductionTag": self.parameters["ProductionTag"]}
            self.aws.update("web", changed, list(self.parameters))

    def payload(self, name: str) -> Json:
        """The payload about the image that is here, sent now: an old one by SNS is refused."""
        text = (ROOT / "events" / f"{name}.json").read_text()
        payload: Json = json.loads(text.replace(SAMPLE_DIGEST, self.digest))
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for record in payload.get("Records", []):
            record["Sns"]["Timestamp"] = now
        return payload


class Invoked(NamedTuple):
    """What came of one `sam local invoke`."""

    answer: Json | None
    wrong: str | None


def invoke(environment: dict[str, str], account: Account, folder: Path, name: str) -> Invoked:
    """Invokes the function with a payload, and checks its answer."""
    event = folder / f"{name}.json"
    event.write_text(json.dumps(account.payload(name)))
    arguments = ("--skip-pull-image", "--event", event, "--env-vars", folder / "env-vars")
    ran = sam(
        environment, "local", "invoke", FUNCTION, *arguments, *PARAMETERS, capture_output=True
    )
    try:
        answer: Json = json.loads(ran.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return Invoked(None, f"no answer:\n{ran.stdout}{ran.stderr}")
    wrong = complaint(name, answer)
    return Invoked(answer, f"{wrong}\n{ran.stderr}" if wrong else None)


def complaint(name: str, answer: Json) -> str | None:
    """What is wrong with an answer."""
    outcomes = [one.get("outcome") for one in answer.get("results", [answer])]
    if name in OUTCOMES and outcomes != [OUTCOMES[name]]:
        return f"should be `{OUTCOMES[name]}`"
    if name in STATUSES and answer.get("statusCode") != STATUSES[name]:
        return f"should have the statusCode {STATUSES[name]}"
    if name in OWN_ANSWERS and "errorMessage" in answer:
        return "should be no error"
    return None


def templates() -> list[Path]:
    """template.yaml and the templates among the examples."""
    examples = sorted((ROOT / "examples").glob("*.yaml"))
    is_template = "AWSTemplateFormatVersion"
    return [ROOT / "template.yaml", *(one for one in examples if is_template in one.read_text())]


def validate() -> int:
    """Runs `sam validate --lint` for each template, and returns 1 where one is wrong."""
    environment = sam_environment(path_with_tools())
    codes = [
        sam(environment, "validate", "--lint", "--template", path).returncode
        for path in templates()
    ]
    return 1 if any(codes) else 0


def try_all(names: list[str]) -> int:
    """Builds the function, invokes it with each of these payloads, and says how many went well."""
    system, path = engine(), path_with_tools()
    pull_base_image()
    print("sam build (the first one takes some minutes)", flush=True)
    built = sam(
        sam_environment(path),
        "build",
        *PARAMETERS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if built.returncode:
        raise Problem(f"sam build failed:\n{built.stdout}")

    failed = 0
    with contextlib.ExitStack() as stack:
        forwarder = stack.enter_context(Forwarder(system))
        cloud = stack.enter_context(EmbeddedCloud(AWS_ENDPOINT_URL=forwarder.url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        forwarder.to = ("127.0.0.1", int(cloud.url.rsplit(":", 1)[1]))
        account = Account(cloud, ROOT / ".aws-sam" / "build" / FUNCTION / "bootstrap")
        variables = {
            "AWS_ENDPOINT_URL": forwarder.url,
            "STATE_TABLE": account.outputs["StateTableName"],
            "NOTIFICATION_TOPIC_ARN": account.outputs["NotificationTopicArn"],
        }
        (folder / "env-vars").write_text(json.dumps({FUNCTION: variables}))
        environment = sam_environment(path, cloud.client_environment())
        for name in names:
            account.reset()
            answer, wrong = invoke(environment, account, folder, name)
            failed += bool(wrong)
            print(f"\nsam local invoke -e events/{name}.json\n{json.dumps(answer)}")
            if wrong:
                print(f"WRONG: {wrong}", flush=True)
    print(f"\nsam-local: {len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Does what the arguments say, and returns the exit status."""
    embedded_cloud.forget_aws()
    if arguments == ["--validate"]:
        return validate()
    names = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
    wanted = [Path(one).stem if one.endswith(".json") else one for one in arguments]
    if not set(wanted) <= set(names):
        wants_help = arguments in (["-h"], ["--help"])
        print(
            f"{(__doc__ or '').strip()}\n\nPayloads: {' '.join(names)}",
            file=sys.stdout if wants_help else sys.stderr,
        )
        return 0 if wants_help else 2
    embedded_cloud.go_on_in_environment(__file__, lambda text: print(text, flush=True))
    return try_all(wanted or names)


if __name__ == "__main__":
    embedded_cloud.unwind_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except LeftOut as reason:
        print(
            f"\n*** LEFT OUT: sam local invoke was not tried on this machine: {reason} ***\n",
            file=sys.stderr,
        )
        # Whoever names a payload wants to see it tried.
        names_a_payload = any(not argument.startswith("-") for argument in sys.argv[1:])
        sys.exit(1 if names_a_payload else 0)
    except Problem as problem:
        print(f"sam-local: {problem}", file=sys.stderr)
        sys.exit(1)
