"""Shows the main job on an embedded AWS: the real release binary, deployed by the real template.yaml.

    ./scripts/demo [--verbose] [--bootstrap FILE]

An image is pushed as `latest` and promoted at once (mode auto); a second one waits until a person approves it
by the words that the mail about it says (mode approval). What is printed is checked: the exit status is 1 where something is not as it should be.
Needs Rust and Python 3.11. Ends by itself, leaves nothing running, listens on 127.0.0.1 only.

    --verbose          also the events, the answers and the function's log
    --bootstrap FILE   this executable as the function instead of building one

The build goes to $CARGO_TARGET_DIR, or to ~/.cache/ecr-promoter/target. scripts/embedded_cloud.py names more settings.
"""
import base64
import gzip
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

sys.dont_write_bytecode = True  # the clone stays as it was

import embedded_cloud  # noqa: E402
from embedded_cloud import ACCOUNT, REGION, EmbeddedCloud, Problem  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROMOTER, REPOSITORY = "ecr-promoter", "web"
LABEL = "org.opencontainers.image.revision"
OCI = "application/vnd.oci.image."
SESSION_KEY = "what-no-answer-of-CloudFormation-shows"
SECONDS = 30  # how long anything here may take to come about


class Report:
    """What the reader sees: a word, a sentence, and how long it took since the line before."""

    def __init__(self, verbose):
        self.verbose, self.began, self.last = verbose, time.monotonic(), time.monotonic()

    def title(self, text):
        print("\n" + text, flush=True)
        self.last = time.monotonic()

    def line(self, word, text, timed=False):
        now = time.monotonic()
        took = "{:8.2f} s".format(now - self.last) if timed else ""
        print("  {:<9} {:<84}{}".format(word, text, took).rstrip(), flush=True)
        self.last = now

    def detail(self, text):
        if self.verbose:
            for line in text.strip().splitlines():
                print("            | " + line, flush=True)


def check(holds, complaint):
    if not holds:
        raise Problem(complaint)


def until(look, complaint):
    """The first true answer of `look`."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = look()
        if answer:
            return answer
        check(time.monotonic() < deadline, complaint)
        time.sleep(0.02)


# Build and deploy

def built(report):
    """The release binary."""
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(embedded_cloud.cache(), "target")
    binary = os.path.join(target, "release", "ecr-promoter")
    if not shutil.which("cargo"):
        raise Problem("Rust is needed and there is no cargo: https://rustup.rs installs it.")
    if not os.path.exists(binary):
        print("  build     the first one takes 5 to 12 minutes on two cores; {} keeps it".format(target), flush=True)
    shown = report.verbose or sys.stderr.isatty()
    command = ["cargo", "build", "--release", "--locked", "--bin", "ecr-promoter", "--target-dir", target]
    cargo = subprocess.Popen(command, cwd=ROOT, stderr=None if shown else subprocess.PIPE, universal_newlines=True)
    said = []
    reader = threading.Thread(target=lambda: said.extend(cargo.stderr or ()), daemon=True)
    reader.start()
    try:
        while cargo.poll() is None:
            try:
                cargo.wait(timeout=30)
            except subprocess.TimeoutExpired:
                if not shown:
                    print("  build     … {} crates compiled; {}".format(
                        sum("Compiling" in line for line in said), (said or [""])[-1].strip()), flush=True)
        reader.join()
        check(cargo.returncode == 0, "the release build failed:\n" + embedded_cloud.tail("".join(said) or "(see above)"))
    finally:
        if cargo.poll() is None:
            cargo.terminate()
            cargo.wait()
    report.line("build", "{} ({:.1f} MB)".format(os.path.relpath(binary, ROOT) if binary.startswith(ROOT) else binary,
                                                 os.path.getsize(binary) / 1e6), timed=True)
    return binary


def packed(binary):
    """The deployment package of a custom runtime."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file, open(binary, "rb") as executable:
        file.writestr(entry, executable.read(), compresslevel=1)
    return archive.getvalue()


def template(path):
    """A template of this repository, CloudFormation's short forms written out."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def intrinsic(loader, suffix, node):
        value = (loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else
                 loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else
                 loader.construct_mapping(node, deep=True))
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}

    Loader.add_multi_constructor("!", intrinsic)
    Loader.yaml_implicit_resolvers = {  # a date stays text: `Version: 2012-10-17`
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    with open(os.path.join(ROOT, path)) as file:
        return yaml.load(file, Loader)


class Aws:
    """Clients of the embedded cloud, and the few things that are done with several of them."""

    def __init__(self, cloud):
        import boto3
        from botocore.config import Config
        self.cloud = cloud
        session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="test", region_name=REGION)
        for service in ("cloudformation", "ecr", "ecs", "ec2", "events", "lambda", "s3", "secretsmanager", "sns"):
            setattr(self, service if service != "lambda" else "functions",
                    session.client(service, endpoint_url=cloud.url, config=Config(proxies={}, read_timeout=90)))

    def deploy(self, name, body, parameters, **more):
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        self.cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=given,
                                         Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"], **more)
        return self.settled(name)

    def stack(self, name):
        return self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]

    def settled(self, name):
        stack = until(lambda: (lambda seen: not seen["StackStatus"].endswith("_IN_PROGRESS") and seen)(self.stack(name)),
                      "stack {} does not come to rest".format(name))
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reasons = ["{} {}".format(event["LogicalResourceId"], event["ResourceStatusReason"])
                       for event in self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
                       if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")]
            raise Problem("stack {} is {}: {}".format(name, stack["StackStatus"], "; ".join(reasons) or "no reason given"))
        return stack

    def resources(self, name):
        return self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]

    def running(self, name):
        """The task definition of the app's stack, without what every revision has anew."""
        revision = next(r["PhysicalResourceId"] for r in self.resources(name) if r["ResourceType"] == "AWS::ECS::TaskDefinition")
        definition = self.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
        return {key: value for key, value in definition.items()
                if key not in ("taskDefinitionArn", "revision", "registeredAt", "registeredBy")}

    def tags(self, digest):
        image = self.ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])["imageDetails"][0]
        return image.get("imageTags", [])

    def manifests(self):
        """Every image of the repository: its digest, and its manifest as it is stored."""
        digests = {image["imageDigest"] for image in self.ecr.list_images(repositoryName=REPOSITORY)["imageIds"]}
        images = self.ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": d} for d in sorted(digests)],
                                          acceptedMediaTypes=[OCI + "manifest.v1+json", OCI + "index.v1+json"])["images"]
        return {image["imageId"]["imageDigest"]: image["imageManifest"] for image in images}


# What CI does

def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(media_type, content, **more):
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


def encoded(document):
    return json.dumps(document, separators=(",", ":")).encode()


class Image:
    """Pushes one image as `docker push` does: its blobs first, its manifest last."""

    def __init__(self, ecr, commit):
        self.ecr, self.commit = ecr, commit

    def push(self, with_attestation):
        """An image; or, as `docker buildx` makes them, an index of an image and an attestation of how it was built."""
        layer = gzip.compress("built from {}\n".format(self.commit).encode(), mtime=0)
        config = {"architecture": "amd64", "os": "linux", "config": {"Labels": {LABEL: self.commit}},
                  "rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(layer))]}}
        manifest = self.manifest(encoded(config), (OCI + "layer.v1.tar+gzip", layer))
        if not with_attestation:
            return self.put(manifest, "manifest", "latest")
        statement = encoded({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2"})
        unknown = {"architecture": "unknown", "os": "unknown"}
        attestation = self.manifest(encoded({**unknown, "config": {}, "rootfs": {"type": "layers", "diff_ids": [sha256(statement)]}}),
                                    ("application/vnd.in-toto+json", statement))
        self.put(manifest, "manifest")
        self.put(attestation, "manifest")
        return self.put(encoded({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
            descriptor(OCI + "manifest.v1+json", manifest, platform={"architecture": "amd64", "os": "linux"}),
            descriptor(OCI + "manifest.v1+json", attestation, platform=unknown, annotations={
                "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": sha256(manifest)})]}),
            "index", "latest")

    def manifest(self, config, layer):
        for content in (config, layer[1]):
            self.upload(content)
        return encoded({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                        "config": descriptor(OCI + "config.v1+json", config), "layers": [descriptor(*layer)]})

    def upload(self, content):
        repository, digest = {"repositoryName": REPOSITORY}, sha256(content)
        there = self.ecr.batch_check_layer_availability(layerDigests=[digest], **repository)["layers"][0]
        if there["layerAvailability"] == "AVAILABLE":
            return
        upload = self.ecr.initiate_layer_upload(**repository)["uploadId"]
        self.ecr.upload_layer_part(uploadId=upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content, **repository)
        self.ecr.complete_layer_upload(uploadId=upload, layerDigests=[digest], **repository)

    def put(self, manifest, kind, tag=None):
        self.ecr.put_image(repositoryName=REPOSITORY, imageManifest=manifest.decode(),
                           imageManifestMediaType=OCI + kind + ".v1+json", **({"imageTag": tag} if tag else {}))
        return sha256(manifest), OCI + kind + ".v1+json"


# The demonstration

class Demo:
    def __init__(self, report, aws):
        self.report, self.aws = report, aws
        self.read = 0  # how many e-mails

    def deploy(self, binary):
        report, aws = self.report, self.aws
        aws.s3.create_bucket(Bucket="artifacts")
        aws.s3.put_object(Bucket="artifacts", Key="ecr-promoter.zip", Body=packed(binary))
        body = template("template.yaml")
        # As `sam package` does.
        functions = [r["Properties"] for r in body["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
        for properties in functions:
            properties["CodeUri"] = {"Bucket": "artifacts", "Key": "ecr-promoter.zip"}
        self.parameters = {"Repository": REPOSITORY, "StackName": REPOSITORY, "Mode": "auto", "LogLevel": "DEBUG",
                           "NotificationEmail": "team@example.com",
                           "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"}
        stack = aws.deploy(PROMOTER, body, self.parameters)
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        report.line("deploy", "stack {}: template.yaml with the binary, {} resources".format(
            PROMOTER, len(aws.resources(PROMOTER))), timed=True)

        aws.deploy("repository", template("examples/repository.yaml"), {"AppName": REPOSITORY})
        kind = aws.ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]["imageTagMutability"]
        report.line("deploy", "stack repository: examples/repository.yaml, {}".format(kind), timed=True)

        role = aws.deploy("service-role", template("examples/service-role.yaml"), {})
        subnets = [subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"]]
        aws.deploy(REPOSITORY, template("examples/app-fargate.yaml"), {
            "AppName": REPOSITORY, "ProductionTag": "production_initial", "Subnets": ",".join(subnets),
            "EnvironmentFileArn": "arn:aws:s3:::artifacts/web/production.env", "SessionKey": SESSION_KEY,
        }, RoleARN=next(o["OutputValue"] for o in role["Outputs"] if o["OutputKey"] == "ServiceRoleArn"), Tags=[{"Key": "team", "Value": "shop"}])
        self.image = aws.running(REPOSITORY)["containerDefinitions"][0]["image"]
        report.line("deploy", "stack {}: examples/app-fargate.yaml, runs {}".format(REPOSITORY, self.image.split("/")[-1]), timed=True)
        self.rule = next(r["PhysicalResourceId"] for r in aws.resources(PROMOTER) if r["LogicalResourceId"] == "EcrPromoterFunctionImagePush")

    def push(self, number, with_attestation=False):
        """One more image as `latest`, and the event that ECR sends of it."""
        self.commit = hashlib.sha1("commit {}".format(number).encode()).hexdigest()
        self.digest, media_type = Image(self.aws.ecr, self.commit).push(with_attestation)
        self.report.line("push", "{}:latest is {} ({})".format(REPOSITORY, self.digest[:19] + "…",
                         "index of an image and an attestation" if with_attestation else "one image"), timed=True)
        self.report.line("commit", "{}, label {}".format(self.commit, LABEL))
        self.before, self.manifests, self.stack = self.aws.running(REPOSITORY), self.aws.manifests(), self.aws.stack(REPOSITORY)
        self.physical = self.physical_ids()
        return self.event("latest", media_type)

    def event(self, tag, media_type):
        with open(os.path.join(ROOT, "events", "ecr-push.json")) as file:
            event = json.load(file)
        event.update(account=ACCOUNT, region=REGION, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        event["detail"].update({"repository-name": REPOSITORY, "image-digest": self.digest, "image-tag": tag,
                                "manifest-media-type": media_type, "artifact-media-type": OCI + "config.v1+json"})
        return event

    def let_through(self, event):
        """Whether the deployed rule hands this event to the function."""
        pattern = self.aws.events.describe_rule(Name=self.rule.split("|")[-1])["EventPattern"]
        return self.aws.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]

    def deliver(self, event):
        """EventBridge takes events of `aws.ecr` from nobody but ECR, in AWS and here, so the function is invoked with it."""
        self.report.detail(json.dumps(event))
        answer = self.aws.functions.invoke(FunctionName=self.outputs["FunctionName"], Payload=json.dumps(event), LogType="Tail")
        payload = json.loads(answer["Payload"].read())
        log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
        self.report.detail(log)
        if answer.get("FunctionError"):
            raise Problem("the function failed: {}\n{}".format(payload.get("errorMessage", payload), embedded_cloud.tail(log)))
        self.report.detail(json.dumps(payload))
        return payload

    def answered(self, event, outcome):
        answer = self.deliver(event)
        check(answer.get("outcome") == outcome, "the answer should be `{}` and is {}".format(outcome, json.dumps(answer)))
        check(answer.get("digest") == self.digest, "the answer is of another digest: {}".format(json.dumps(answer)))
        self.report.line("answer", outcome, timed=True)

    def physical_ids(self):
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in self.aws.resources(REPOSITORY)
                if r["ResourceType"] not in ("AWS::ECS::TaskDefinition",)}

    def promoted(self):
        """Shows and checks what a promotion of self.digest must have done, and nothing else."""
        tag = "production_" + self.commit
        stack = self.aws.settled(REPOSITORY)
        check(tag in self.aws.tags(self.digest), "{} has the tags {}, not {}".format(self.digest, self.aws.tags(self.digest), tag))
        check(self.aws.manifests() == self.manifests, "the images in the repository, or their bytes, changed")
        self.report.line("tag", "{} on the same digest; no new image".format(tag))
        after = self.aws.running(REPOSITORY)
        self.report.line("before", self.before["containerDefinitions"][0]["image"])
        self.report.line("after", after["containerDefinitions"][0]["image"])
        wanted = json.loads(json.dumps(self.before, default=str).replace(
            self.before["containerDefinitions"][0]["image"], "{}.dkr.ecr.{}.amazonaws.com/{}:{}".format(ACCOUNT, REGION, REPOSITORY, tag)))
        check(json.loads(json.dumps(after, default=str)) == wanted, "the task definition changed in more than its image, or to another one: {}"
              .format(json.dumps(after, default=str)))
        changed = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"] if p not in self.stack["Parameters"]}
        check(changed == {"ProductionTag": tag}, "the stack's parameters changed otherwise: {}".format(changed))
        check(len(stack["Parameters"]) == len(self.stack["Parameters"]), "the stack has other parameters than before")
        check(stack["Tags"] == self.stack["Tags"], "the stack's tags changed: {}".format(stack["Tags"]))
        secret = self.aws.secretsmanager.get_secret_value(SecretId=self.physical["SessionKeySecret"])["SecretString"]
        check(secret == SESSION_KEY, "the value of the NoEcho parameter changed")
        check(self.physical_ids() == self.physical, "resources of the stack were replaced: {}".format(self.physical_ids()))
        self.report.line("same", "{} other parameters (the NoEcho one too), the stack's tags, the rest of the task definition"
                         .format(len(stack["Parameters"]) - 1))

    def unpromoted(self):
        check(self.aws.running(REPOSITORY) == self.before, "the task definition changed before anybody approved")
        check(self.aws.tags(self.digest) == ["latest"], "the image was tagged before anybody approved")
        check(self.aws.stack(REPOSITORY)["Parameters"] == self.stack["Parameters"], "a parameter changed before anybody approved")
        self.report.line("runs", "{} as before; {}… is only `latest`".format(
            self.before["containerDefinitions"][0]["image"].split("/")[-1], self.digest[:19]))

    def told(self, outcome, whole=False):
        wanted = {"repository": REPOSITORY, "outcome": outcome}
        mail = until(lambda: next((mail for mail in self.aws.cloud.mail()[self.read:] if mail["attributes"] == wanted), None),
                     "nobody was told `{}`".format(outcome))
        self.read = len(self.aws.cloud.mail())
        self.report.line("e-mail", mail["subject"], timed=True)
        for line in mail["text"].strip().splitlines() if whole or self.report.verbose else ():
            print("            > {}".format(line).rstrip(), flush=True)

    def auto(self):
        self.report.title("1. CI pushes an image as `latest`; the app's mode is `auto`")
        event = self.push(1)
        check(self.let_through(event), "the rule of template.yaml does not let the push through")
        self.answered(event, "promoted")
        self.promoted()
        own = self.event("production_" + self.commit, event["detail"]["manifest-media-type"])
        check(not self.let_through(own), "the rule of template.yaml lets the function's own tag through")
        check(self.deliver(own).get("outcome") == "ignored", "the event of the function's own tag was not ignored")
        self.report.line("ignored", "the event of that new tag: the rule stops it, and the function would ignore it")
        self.told("promoted")

    def approval(self):
        self.report.title("2. The app's mode is now `approval`; CI pushes another image")
        parameters = [{"ParameterKey": "Mode", "ParameterValue": "approval"}] + [
            {"ParameterKey": key, "UsePreviousValue": True} for key in self.parameters if key != "Mode"]
        self.aws.cloudformation.update_stack(StackName=PROMOTER, UsePreviousTemplate=True, Parameters=parameters,
                                             Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        self.aws.settled(PROMOTER)
        # A function that runs already would read its configuration anew after a minute; one that is set anew starts anew.
        name = self.outputs["FunctionName"]
        self.aws.functions.update_function_configuration(
            FunctionName=name, Timeout=self.aws.functions.get_function_configuration(FunctionName=name)["Timeout"])
        self.report.line("deploy", "stack {}: Mode=approval".format(PROMOTER), timed=True)
        event = self.push(2, with_attestation=True)
        self.answered(event, "approval_requested")
        self.told("approval_requested", whole=True)
        self.unpromoted()

    def command(self):
        self.report.title("3. A person publishes the words of the mail to the approval topic")
        words = "approve {} {}".format(REPOSITORY, self.digest)
        check(any(words in mail["text"] for mail in self.aws.cloud.mail()), "no mail says `{}`".format(words))
        self.aws.sns.publish(TopicArn=self.outputs["ApprovalTopicArn"], Message=words)
        self.report.line("publish", words)
        tag = {"ParameterKey": "ProductionTag", "ParameterValue": "production_" + self.commit}
        until(lambda: tag in self.aws.stack(REPOSITORY)["Parameters"], "`{}` by SNS did not reach the stack".format(words))
        self.report.line("promoted", "the topic handed it to the function", timed=True)
        self.promoted()
        self.told("promoted")


def main(arguments):
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    if arguments in (["--help"], ["-h"]):
        print(__doc__.strip())
        return 0
    embedded_cloud.forget_aws()
    bootstrap = arguments[1] if len(arguments) == 2 and arguments[0] == "--bootstrap" else None
    if arguments and not bootstrap:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    report = Report(verbose)
    # Of the Python that was called; all that follows needs the libraries of the environment that is made here.
    interpreter = embedded_cloud.python(lambda text: report.line("python", text))
    if os.path.abspath(sys.executable) != os.path.abspath(interpreter):
        sys.stdout.flush()
        os.execv(interpreter, [interpreter, "-B", os.path.abspath(__file__)] + sys.argv[1:])
    print("ecr-promoter on an embedded AWS: the release binary, deployed by template.yaml; nothing leaves this machine\n")
    if bootstrap and not os.access(bootstrap, os.X_OK):
        raise Problem("{} is not an executable file".format(bootstrap))
    binary = bootstrap or built(report)
    with EmbeddedCloud() as cloud:
        report.line("cloud", "ministack on {}".format(cloud.url), timed=True)
        import botocore.exceptions
        try:
            demo = Demo(report, Aws(cloud))
            demo.deploy(binary)
            demo.auto()
            demo.approval()
            demo.command()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise Problem(str(error))
    print("\nAll of it checked, in {:.1f} s. Nothing is left running.".format(time.monotonic() - report.began))
    return 0


if __name__ == "__main__":
    embedded_cloud.unwind_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print("demo: {}".format(problem), file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
