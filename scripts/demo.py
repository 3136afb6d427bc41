"""Shows the main job on an embedded AWS: the real release binary, deployed by template.yaml.

    ./scripts/demo [--verbose] [--bootstrap FILE]

An image is pushed as `latest` and promoted at once (mode auto); a second one waits until a person
approves it by the words that the mail about it says (mode approval). A third one goes through three
stages in two accounts and two regions (demo_stages.py), and somebody rolls back by the command
`promote` (demo_cli.py). What is printed is checked: the exit status is 1 where something is not as
it should be. Needs Rust and Python 3.11. Ends by itself, leaves nothing running, listens on
127.0.0.1 only.

    --verbose          also the events, the answers and the function's log
    --bootstrap FILE   this executable as the function instead of building one

The build goes to $CARGO_TARGET_DIR, or to ~/.cache/ecr-promoter/target.
scripts/embedded_cloud.py names more settings.
"""

import base64
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import account
import demo_cli
import demo_stages
import embedded_cloud
from account import LABEL, OCI, REPOSITORY, ROOT, Aws, Image, Json, check, template, until
from embedded_cloud import ACCOUNT, REGION, EmbeddedCloud
from pinned import Problem, tail, target_folder

PROMOTER = "ecr-promoter"
SESSION_KEY = "what-no-answer-of-CloudFormation-shows"


class Report:
    """What the reader sees: a word, a sentence, and how long it took since the line before."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.began = self.last = time.monotonic()

    def title(self, text: str) -> None:
        """Begins a part."""
        print(f"\n{text}", flush=True)
        self.last = time.monotonic()

    def line(self, word: str, text: str, *, timed: bool = False) -> None:
        """Prints one line."""
        now = time.monotonic()
        took = f"{now - self.last:8.2f} s" if timed else ""
        print(f"  {word:<9} {text:<84}{took}".rstrip(), flush=True)
        self.last = now

    def detail(self, text: str) -> None:
        """Prints what only --verbose shows."""
        if self.verbose:
            for line in text.strip().splitlines():
                print(f"            | {line}", flush=True)


# Build and deploy


def built(report: Report) -> Path:
    """Builds the release binary."""
    target = target_folder()
    binary = target / "release" / "ecr-promoter"
    if not shutil.which("cargo"):
        raise Problem("Rust is needed and there is no cargo: https://rustup.rs installs it.")
    if not binary.exists():
        print(
            f"  build     the first one takes 5 to 12 minutes on two cores; {target} keeps it",
            flush=True,
        )
    shown = report.verbose or sys.stderr.isatty()
    command = ["cargo", "build", "--release", "--locked", "--bin", "ecr-promoter"]
    command += ["--target-dir", str(target)]
    cargo = subprocess.Popen(
        command, cwd=ROOT, stderr=None if shown else subprocess.PIPE, text=True
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(cargo.stderr or ()), daemon=True)
    reader.start()
    try:
        while cargo.poll() is None:
            try:
                cargo.wait(timeout=30)
            except subprocess.TimeoutExpired:
                if not shown:
                    compiled = sum("Compiling" in line for line in said)
                    last = said[-1].strip() if said else ""
                    print(f"  build     … {compiled} crates compiled; {last}", flush=True)
        reader.join()
        why = tail("".join(said) or "(see above)")
        check(cargo.returncode == 0, f"the release build failed:\n{why}")
    finally:
        if cargo.poll() is None:
            cargo.terminate()
            cargo.wait()
    shown_path = binary.relative_to(ROOT) if binary.is_relative_to(ROOT) else binary
    report.line("build", f"{shown_path} ({binary.stat().st_size / 1e6:.1f} MB)", timed=True)
    return binary


def packed(binary: Path) -> bytes:
    """The deployment package of a custom runtime."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, binary.read_bytes(), compresslevel=1)
    return archive.getvalue()


def architecture() -> str:
    """The architecture of this machine, as the template names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


# The demonstration


class Demo:
    """The demonstration: what it does, and what it compares before and after."""

    parameters: dict[str, str]
    outputs: dict[str, str]
    rule: str
    # The image that was pushed last, and what there was before it.
    commit: str
    digest: str
    before: Json
    manifests: dict[str, str]
    stack: Json
    physical: dict[str, str]

    def __init__(self, report: Report, aws: Aws) -> None:
        self.report, self.aws = report, aws
        self.read = 0  # how many e-mails

    def deploy(self, binary: Path) -> None:
        """Deploys the promoter and the app of the examples."""
        report, aws = self.report, self.aws
        aws.s3.create_bucket(Bucket="artifacts")
        aws.s3.put_object(Bucket="artifacts", Key="ecr-promoter.zip", Body=packed(binary))
        body = template("template.yaml")
        # As `sam package` does.
        for resource in body["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                code = {"Bucket": "artifacts", "Key": "ecr-promoter.zip"}
                resource["Properties"]["CodeUri"] = code
        self.parameters = {
            "Repository": REPOSITORY,
            "StackName": REPOSITORY,
            "Mode": "auto",
            # For links to the board.
            "PublicUrl": "on",
            "LogLevel": "DEBUG",
            "NotificationEmail": "team@example.com",
            "Architecture": architecture(),
        }
        self.outputs = aws.outputs(aws.deploy(PROMOTER, body, self.parameters))
        count = len(aws.resources(PROMOTER))
        report.line(
            "deploy",
            f"stack {PROMOTER}: template.yaml with the binary, {count} resources",
            timed=True,
        )

        aws.deploy("repository", template("examples/repository.yaml"), {"AppName": REPOSITORY})
        repositories = aws.ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"]
        kind = repositories[0]["imageTagMutability"]
        report.line("deploy", f"stack repository: examples/repository.yaml, {kind}", timed=True)

        role = aws.deploy("service-role", template("examples/service-role.yaml"), {})
        subnets = [subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"]]
        parameters = {
            "AppName": REPOSITORY,
            "ProductionTag": "production_initial",
            "Subnets": ",".join(subnets),
            "EnvironmentFileArn": "arn:aws:s3:::artifacts/web/production.env",
            "SessionKey": SESSION_KEY,
        }
        aws.deploy(
            REPOSITORY,
            template("examples/app-fargate.yaml"),
            parameters,
            RoleARN=aws.outputs(role)["ServiceRoleArn"],
            Tags=[{"Key": "team", "Value": "shop"}],
        )
        runs = image_of(aws.running(REPOSITORY)).split("/")[-1]
        report.line(
            "deploy", f"stack {REPOSITORY}: examples/app-fargate.yaml, runs {runs}", timed=True
        )
        self.rule = aws.resource(PROMOTER, "LogicalResourceId", "EcrPromoterFunctionImagePush")

    def push(self, number: int, *, with_attestation: bool = False) -> Json:
        """Pushes one more image as `latest`, and returns the event that ECR sends about it."""
        aws = self.aws
        self.commit = hashlib.sha1(f"commit {number}".encode()).hexdigest()
        image = Image(aws.ecr, self.commit)
        self.digest, media_type = image.push(with_attestation=with_attestation)
        kind = "index of an image and an attestation" if with_attestation else "one image"
        self.report.line("push", f"{REPOSITORY}:latest is {self.digest[:19]}… ({kind})", timed=True)
        self.report.line("commit", f"{self.commit}, label {LABEL}")
        self.before, self.manifests = aws.running(REPOSITORY), aws.manifests()
        self.stack, self.physical = aws.stack(REPOSITORY), self.physical_ids()
        return self.event("latest", media_type)

    def event(self, tag: str, media_type: str) -> Json:
        """The event of a push of the image under this tag."""
        event: Json = json.loads((ROOT / "events" / "ecr-push.json").read_text())
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event.update(account=ACCOUNT, region=REGION, time=now)
        event["detail"].update(
            {
                "repository-name": REPOSITORY,
                "image-digest": self.digest,
                "image-tag": tag,
                "manifest-media-type": media_type,
                "artifact-media-type": f"{OCI}config.v1+json",
            }
        )
        return event

    def let_through(self, event: Json) -> bool:
        """Whether the deployed rule hands this event to the function."""
        events = self.aws.events
        pattern = events.describe_rule(Name=self.rule.split("|")[-1])["EventPattern"]
        answer = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
        return bool(answer["Result"])

    def deliver(self, event: Json) -> Json:
        """Invokes the function with an event.

        EventBridge takes events of `aws.ecr` from nobody but ECR, in AWS and here.
        """
        self.report.detail(json.dumps(event))
        answer = self.aws.functions.invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(event), LogType="Tail"
        )
        payload: Json = json.loads(answer["Payload"].read())
        log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
        self.report.detail(log)
        if answer.get("FunctionError"):
            why = payload.get("errorMessage", payload)
            raise Problem(f"the function failed: {why}\n{tail(log)}")
        self.report.detail(json.dumps(payload))
        return payload

    def answered(self, event: Json, outcome: str) -> None:
        """Invokes the function with an event, whose answer must have this outcome."""
        answer = self.deliver(event)
        shown = json.dumps(answer)
        check(
            answer.get("outcome") == outcome,
            f"the answer should be `{outcome}` and is {shown}",
        )
        check(answer.get("digest") == self.digest, f"the answer is about another digest: {shown}")
        self.report.line("answer", outcome, timed=True)

    def physical_ids(self) -> dict[str, str]:
        """The physical id of each resource of the app that a promotion must not replace."""
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in self.aws.resources(REPOSITORY)
            if resource["ResourceType"] != "AWS::ECS::TaskDefinition"
        }

    def promoted(self) -> None:
        """Shows and checks what a promotion of the image must have done, and nothing else."""
        aws, report = self.aws, self.report
        tag = f"production_{self.commit}"
        stack = aws.settled(REPOSITORY)
        tags = aws.tags(self.digest)
        check(tag in tags, f"{self.digest} has the tags {tags}, not {tag}")
        check(
            aws.manifests() == self.manifests,
            "the images in the repository, or their bytes, changed",
        )
        report.line("tag", f"{tag} on the same digest; no new image")
        old, after = image_of(self.before), aws.running(REPOSITORY)
        report.line("before", old)
        report.line("after", image_of(after))
        new = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:{tag}"
        wanted = json.dumps(self.before, default=str).replace(old, new)
        check(
            json.loads(json.dumps(after, default=str)) == json.loads(wanted),
            "the task definition changed in more than its image, or to another one: "
            f"{json.dumps(after, default=str)}",
        )
        parameters, before = stack["Parameters"], self.stack["Parameters"]
        changed = {p["ParameterKey"]: p["ParameterValue"] for p in parameters if p not in before}
        check(
            changed == {"ProductionTag": tag},
            f"the stack's parameters changed otherwise: {changed}",
        )
        check(len(parameters) == len(before), "the stack has other parameters than before")
        check(stack["Tags"] == self.stack["Tags"], f"the stack's tags changed: {stack['Tags']}")
        secret_id = self.physical["SessionKeySecret"]
        secret = aws.secretsmanager.get_secret_value(SecretId=secret_id)["SecretString"]
        check(secret == SESSION_KEY, "the value of the NoEcho parameter changed")
        check(
            self.physical_ids() == self.physical,
            f"resources of the stack were replaced: {self.physical_ids()}",
        )
        report.line(
            "same",
            f"{len(parameters) - 1} other parameters (the NoEcho one too), the stack's tags, "
            "the rest of the task definition",
        )

    def unpromoted(self) -> None:
        """Checks that nothing happened to the app yet."""
        aws = self.aws
        check(
            aws.running(REPOSITORY) == self.before,
            "the task definition changed before anybody approved",
        )
        check(aws.tags(self.digest) == ["latest"], "the image was tagged before anybody approved")
        check(
            aws.stack(REPOSITORY)["Parameters"] == self.stack["Parameters"],
            "a parameter changed before anybody approved",
        )
        runs = image_of(self.before).split("/")[-1]
        self.report.line("runs", f"{runs} as before; {self.digest[:19]}… is only `latest`")

    def told(self, outcome: str, *, app: str = REPOSITORY, whole: bool = False) -> None:
        """Shows the next mail with this outcome, which must come."""
        wanted = {"app": app, "repository": REPOSITORY, "outcome": outcome}

        def newest() -> Json | None:
            unread = self.aws.cloud.mail()[self.read :]
            return next((mail for mail in unread if mail["attributes"] == wanted), None)

        mail = until(newest, f"nobody was told `{outcome}`")
        self.read = len(self.aws.cloud.mail())
        self.report.line("e-mail", mail["subject"], timed=True)
        if whole or self.report.verbose:
            for line in mail["text"].strip().splitlines():
                print(f"            > {line}".rstrip(), flush=True)

    def auto(self) -> None:
        """Shows a push in mode `auto`."""
        self.report.title("1. CI pushes an image as `latest`; the app's mode is `auto`")
        event = self.push(1)
        check(self.let_through(event), "the rule of template.yaml does not let the push through")
        self.answered(event, "promoted")
        self.promoted()
        own = self.event(f"production_{self.commit}", event["detail"]["manifest-media-type"])
        check(
            not self.let_through(own),
            "the rule of template.yaml lets the function's own tag through",
        )
        check(
            self.deliver(own).get("outcome") == "ignored",
            "the event of the function's own tag was not ignored",
        )
        self.report.line(
            "ignored",
            "the event of that new tag: the rule stops it, and the function would ignore it",
        )
        self.told("promoted")

    def approval(self) -> None:
        """Shows a push in mode `approval`."""
        self.report.title("2. The app's mode is now `approval`; CI pushes another image")
        self.aws.update(PROMOTER, {"Mode": "approval"}, list(self.parameters))
        self.restart()
        self.report.line("deploy", f"stack {PROMOTER}: Mode=approval", timed=True)
        event = self.push(2, with_attestation=True)
        self.answered(event, "approval_requested")
        self.told("approval_requested", whole=True)
        self.unpromoted()

    def restart(self) -> None:
        """Lets the function read its configuration again.

        One that runs already would do so after a minute; one whose settings change starts again.
        """
        functions, name = self.aws.functions, self.outputs["FunctionName"]
        seconds = functions.get_function_configuration(FunctionName=name)["Timeout"]
        functions.update_function_configuration(FunctionName=name, Timeout=seconds)

    def command(self) -> None:
        """Shows how a person approves."""
        self.report.title("3. A person publishes the words of the mail to the approval topic")
        words = f"approve {REPOSITORY} {self.digest}"
        mails = self.aws.cloud.mail()
        check(any(words in mail["text"] for mail in mails), f"no mail says `{words}`")
        self.aws.sns.publish(TopicArn=self.outputs["ApprovalTopicArn"], Message=words)
        self.report.line("publish", words)
        tag = {"ParameterKey": "ProductionTag", "ParameterValue": f"production_{self.commit}"}
        until(
            lambda: tag in self.aws.stack(REPOSITORY)["Parameters"],
            f"`{words}` by SNS did not reach the stack",
        )
        self.report.line("promoted", "the topic handed it to the function", timed=True)
        self.promoted()
        self.told("promoted")


def image_of(task_definition: Json) -> str:
    """The image that a task definition names."""
    image: str = task_definition["containerDefinitions"][0]["image"]
    return image


def main(arguments: list[str]) -> int:
    """Runs the demonstration, and returns the exit status."""
    verbose = "--verbose" in arguments
    rest = [argument for argument in arguments if argument != "--verbose"]
    if rest in (["--help"], ["-h"]):
        print((__doc__ or "").strip())
        return 0
    embedded_cloud.forget_aws()
    match rest:
        case []:
            bootstrap = None
        case ["--bootstrap", file]:
            bootstrap = Path(file)
        case _:
            print((__doc__ or "").strip(), file=sys.stderr)
            return 2
    report = Report(verbose=verbose)
    embedded_cloud.go_on_in_environment(__file__, lambda text: report.line("python", text))
    print(
        "ecr-promoter on an embedded AWS: the release binary, deployed by template.yaml; "
        "nothing leaves this machine\n"
    )
    if bootstrap and not os.access(bootstrap, os.X_OK):
        raise Problem(f"{bootstrap} is not an executable file")
    binary = bootstrap or built(report)
    with EmbeddedCloud() as cloud:
        report.line("cloud", f"ministack on {cloud.url}", timed=True)
        with account.named_errors():
            demo = Demo(report, Aws(cloud))
            demo.deploy(binary)
            demo.auto()
            demo.approval()
            demo.command()
            demo_stages.Stages(demo).show()
            demo_cli.Operator(demo).show()
    took = time.monotonic() - report.began
    print(f"\nAll of it checked, in {took:.1f} s. Nothing is left running.")
    return 0


if __name__ == "__main__":
    embedded_cloud.unwind_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"demo: {problem}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
