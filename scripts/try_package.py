"""Deploys the packaged template on an embedded AWS, as somebody does who builds nothing.

    ./scripts/try-package [--bootstrap FILE]

First by a plain `create-stack` with a bucket and nothing else, then by `sam deploy` with a public
address. What must be there, and what must not, is checked. Needs no Rust with --bootstrap, which
names the executable of the function; without it, the release binary is taken.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import account
import elf
import embedded_cloud
import package
import sam_local
from account import Aws, Json, check
from embedded_cloud import EmbeddedCloud
from pinned import Problem

STACK = "ecr-promoter"
BUCKET = "artifacts"


class Deployment:
    """The stack in the embedded cloud."""

    def __init__(self, cloud: EmbeddedCloud) -> None:
        self.cloud, self.aws = cloud, Aws(cloud)

    def create(self, template: str, bootstrap: Path) -> None:
        """Creates the stack from the template's text: only the bucket is named."""
        key = f"ecr-promoter-{package.version()}-{elf.machine()}.zip"
        self.aws.s3.create_bucket(Bucket=BUCKET)
        self.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=package.zipped(bootstrap, "bootstrap"))
        parameters = {"CodeBucket": BUCKET, "Architecture": elf.machine()}
        self.aws.cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        self.aws.settled(STACK)

    def deploy(self, template: Path, *parameters: str) -> None:
        """Deploys the template by `sam deploy`, which asks nothing."""
        environment = sam_local.sam_environment(
            sam_local.path_with_tools(), self.cloud.client_environment()
        )
        arguments = ["deploy", "--template-file", str(template)]
        arguments += ["--config-file", str(account.ROOT / "samconfig.toml")]
        arguments += ["--parameter-overrides", *parameters]
        ran = sam_local.sam(environment, *arguments, capture_output=True, stdin=subprocess.DEVNULL)
        check(ran.returncode == 0, f"sam deploy failed:\n{ran.stdout}{ran.stderr}")
        self.aws.settled(STACK)

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.aws.outputs(self.aws.stack(STACK))["FunctionName"]

    def addresses(self) -> list[str]:
        """The public addresses of the function."""
        answer = self.aws.functions.list_function_url_configs(FunctionName=self.function)
        return [one["FunctionUrl"] for one in answer["FunctionUrlConfigs"]]

    def open_to_all(self) -> list[Json]:
        """What everybody may do with the function."""
        answer = self.aws.functions.get_policy(FunctionName=self.function)
        statements: list[Json] = json.loads(answer["Policy"])["Statement"]
        return [one for one in statements if one["Principal"] in ("*", {"AWS": "*"})]

    def invoke(self, payload: Json) -> Json:
        """Invokes the function, which must at least start."""
        answer = self.aws.functions.invoke(
            FunctionName=self.function, Payload=json.dumps(payload), LogType="Tail"
        )
        said: Json = json.loads(answer["Payload"].read())
        log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
        check(isinstance(said, dict), f"the function did not answer: {said}\n{log}")
        return said


def closed(deployment: Deployment) -> None:
    """Checks the stack with every parameter at its default."""
    check(deployment.addresses() == [], f"there is an address: {deployment.addresses()}")
    check(deployment.open_to_all() == [], f"open to all: {deployment.open_to_all()}")
    outputs = deployment.aws.outputs(deployment.aws.stack(STACK))
    check("PublicUrl" not in outputs, f"an output names an address: {outputs}")
    said = deployment.invoke({"action": "board"}).get("errorMessage", "")
    check("PublicUrl=on" in said, f"nothing says what the board needs: {said}")
    ignored = json.loads((account.ROOT / "events" / "ecr-delete.json").read_text())
    answer = deployment.invoke(ignored)
    check(answer.get("outcome") == "ignored", f"not the function's answer: {answer}")


def opened(deployment: Deployment) -> None:
    """Checks the stack with a public address."""
    outputs = deployment.aws.outputs(deployment.aws.stack(STACK))
    check(deployment.addresses() == [outputs["PublicUrl"]], f"not one address: {outputs}")
    actions = sorted(one["Action"] for one in deployment.open_to_all())
    wanted = ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]
    check(actions == wanted, f"open to all: {deployment.open_to_all()}")
    name = "/ecr-promoter/public-url"
    known = deployment.aws.ssm.get_parameter(Name=name)["Parameter"]["Value"]
    check(known == outputs["PublicUrl"], f"the function looks for {known}")


def main(arguments: list[str]) -> int:
    """Deploys and checks, and returns the exit status."""
    match arguments:
        case []:
            bootstrap = package.release_binary("ecr-promoter")
        case ["--bootstrap", file]:
            bootstrap = Path(file)
        case _:
            wants_help = arguments in (["-h"], ["--help"])
            print((__doc__ or "").strip(), file=sys.stdout if wants_help else sys.stderr)
            return 0 if wants_help else 2
    embedded_cloud.forget_aws()
    package.go_on_in_environment(__file__)
    if not os.access(bootstrap, os.X_OK):
        raise Problem(f"{bootstrap} is no executable file: build it by `cargo build --release`")
    template = package.packaged_template()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedCloud() as cloud,
        account.named_errors(),
    ):
        deployment = Deployment(cloud)
        deployment.create(template, bootstrap)
        closed(deployment)
        print("create-stack: the function answers; no public address and no right to call one")
        path = Path(folder) / "template.json"
        path.write_text(template)
        deployment.deploy(
            path, f"CodeBucket={BUCKET}", f"Architecture={elf.machine()}", "PublicUrl=on"
        )
        opened(deployment)
        print("sam deploy: PublicUrl=on, one address, which the function knows")
    return 0


if __name__ == "__main__":
    embedded_cloud.unwind_on_signals()
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"try-package: {problem}", file=sys.stderr)
        sys.exit(1)
