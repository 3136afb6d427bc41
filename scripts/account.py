"""The embedded cloud as an AWS account: its clients, its stacks, and the images that CI pushes.

boto3 and yaml are imported where they are used, since the Python that starts a script need not
have them: embedded_cloud.python() is the one that has.
"""

import contextlib
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from embedded_cloud import ACCOUNT, REGION, EmbeddedCloud
from pinned import Problem

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "web"
LABEL = "org.opencontainers.image.revision"
OCI = "application/vnd.oci.image."
CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html: what a
# request may have of a template that is not in a bucket.
TEMPLATE_BYTES = 51_200
SECONDS = 30  # how long anything here may take to come about

Json = dict[str, Any]
Answer = TypeVar("Answer")


def check(holds: object, complaint: str) -> None:
    """Ends the run with this complaint where something does not hold."""
    if not holds:
        raise Problem(complaint)


def until(look: Callable[[], Answer | None], complaint: str) -> Answer:
    """Looks again and again, and returns the first answer that is not empty."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = look()
        if answer:
            return answer
        check(time.monotonic() < deadline, complaint)
        time.sleep(0.02)


@contextlib.contextmanager
def named_errors() -> Iterator[None]:
    """Reports an error of AWS as a problem, without the steps that led to it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Problem(str(error)) from error


def template(path: str) -> Json:
    """A template of this repository, with CloudFormation's short forms written out."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads YAML with CloudFormation's tags; a date stays text (`Version: 2012-10-17`)."""

    def intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Json:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            assert isinstance(node, yaml.MappingNode), node
            value = loader.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", intrinsic)
    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in resolvers if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    document: Json = yaml.load((ROOT / path).read_text(), Loader)
    return document


class Aws:
    """Clients of one account and region of the embedded cloud, and steps of several calls."""

    def __init__(self, cloud: EmbeddedCloud, account: str = ACCOUNT, region: str = REGION) -> None:
        import boto3
        from botocore.config import Config

        session = boto3.Session(
            aws_access_key_id=account, aws_secret_access_key="test", region_name=region
        )

        def client(service: str) -> Any:
            config = Config(proxies={}, read_timeout=90)
            return session.client(service, endpoint_url=cloud.url, config=config)

        self.cloud, self.account, self.region = cloud, account, region
        self.cloudformation = client("cloudformation")
        self.ec2 = client("ec2")
        self.ecr = client("ecr")
        self.ecs = client("ecs")
        self.events = client("events")
        self.functions = client("lambda")
        self.s3 = client("s3")
        self.secretsmanager = client("secretsmanager")
        self.sns = client("sns")
        self.ssm = client("ssm")
        self.dynamodb: Any = session.resource("dynamodb", endpoint_url=cloud.url)

    def deploy(self, name: str, body: Json, parameters: dict[str, str], **more: Any) -> Json:
        """Creates a stack and waits until it stands."""
        given = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ]
        self.cloudformation.create_stack(
            StackName=name,
            **self.template(name, json.dumps(body)),
            Parameters=given,
            Capabilities=CAPABILITIES,
            **more,
        )
        return self.settled(name)

    def template(self, name: str, text: str) -> dict[str, str]:
        """The template as a request names it: a long one from a bucket, as `sam deploy` does."""
        if len(text.encode()) <= TEMPLATE_BYTES:
            return {"TemplateBody": text}
        self.s3.create_bucket(Bucket="templates")
        self.s3.put_object(Bucket="templates", Key=name, Body=text.encode())
        return {"TemplateURL": f"https://s3.{self.region}.amazonaws.com/templates/{name}"}

    def update(self, name: str, changed: dict[str, str], keys: list[str]) -> Json:
        """Updates a stack: these parameters change, and the others of `keys` stay."""
        parameters = [
            {"ParameterKey": key, "ParameterValue": changed[key]}
            if key in changed
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in keys
        ]
        self.cloudformation.update_stack(
            StackName=name,
            UsePreviousTemplate=True,
            Parameters=parameters,
            Capabilities=CAPABILITIES,
        )
        return self.settled(name)

    def stack(self, name: str) -> Json:
        """The stack as DescribeStacks shows it."""
        found: Json = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def settled(self, name: str) -> Json:
        """The stack once nothing is under way, which must have gone well."""

        def at_rest() -> Json | None:
            stack = self.stack(name)
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        stack = until(at_rest, f"stack {name} does not come to rest")
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']} {event['ResourceStatusReason']}"
                for event in events
                if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
            ]
            why = "; ".join(reasons) or "no reason given"
            raise Problem(f"stack {name} is {stack['StackStatus']}: {why}")
        return stack

    def outputs(self, stack: Json) -> dict[str, str]:
        """The outputs of a stack, by key."""
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self, name: str) -> list[Json]:
        """The resources of a stack."""
        answer = self.cloudformation.describe_stack_resources(StackName=name)
        found: list[Json] = answer["StackResources"]
        return found

    def resource(self, name: str, key: str, value: str) -> str:
        """The physical id of the first resource of a stack that has this value under this key."""
        found = (r["PhysicalResourceId"] for r in self.resources(name) if r[key] == value)
        physical: str = next(found)
        return physical

    def running(self, name: str) -> Json:
        """The task definition of the app's stack, without what each revision has anew."""
        revision = self.resource(name, "ResourceType", "AWS::ECS::TaskDefinition")
        answer = self.ecs.describe_task_definition(taskDefinition=revision)
        anew = ("taskDefinitionArn", "revision", "registeredAt", "registeredBy")
        return {key: value for key, value in answer["taskDefinition"].items() if key not in anew}

    def tags(self, digest: str) -> list[str]:
        """The tags of an image."""
        answer = self.ecr.describe_images(
            repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}]
        )
        found: list[str] = answer["imageDetails"][0].get("imageTags", [])
        return found

    def manifests(self) -> dict[str, str]:
        """The manifest of each image of the repository as it is stored, by digest."""
        rows = self.ecr.list_images(repositoryName=REPOSITORY)["imageIds"]
        images = self.ecr.batch_get_image(
            repositoryName=REPOSITORY,
            imageIds=[
                {"imageDigest": digest} for digest in sorted({r["imageDigest"] for r in rows})
            ],
            acceptedMediaTypes=[f"{OCI}manifest.v1+json", f"{OCI}index.v1+json"],
        )["images"]
        return {image["imageId"]["imageDigest"]: image["imageManifest"] for image in images}


# What CI does


def sha256(content: bytes) -> str:
    """The digest of these bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(media_type: str, content: bytes, **more: Any) -> Json:
    """Names a blob or a manifest in another manifest."""
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


def encoded(document: Json) -> bytes:
    """The document as builders write it: JSON without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()


class Image:
    """Pushes one image as `docker push` does: its blobs first, its manifest last."""

    def __init__(self, ecr: Any, commit: str) -> None:
        self.ecr, self.commit = ecr, commit

    def push(self, *, with_attestation: bool) -> tuple[str, str]:
        """Pushes the image as `latest`; returns its digest and media type.

        With an attestation of how it was built, it is an index of both, as `docker buildx` makes
        it.
        """
        layer = gzip.compress(f"built from {self.commit}\n".encode(), mtime=0)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {LABEL: self.commit}},
            "rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(layer))]},
        }
        manifest = self.manifest(config, f"{OCI}layer.v1.tar+gzip", layer)
        if not with_attestation:
            return self.put(manifest, "manifest", "latest")
        statement = encoded(
            {
                "_type": "https://in-toto.io/Statement/v0.1",
                "predicateType": "https://slsa.dev/provenance/v0.2",
            }
        )
        unknown = {"architecture": "unknown", "os": "unknown"}
        rootfs = {"type": "layers", "diff_ids": [sha256(statement)]}
        attestation = self.manifest(
            {**unknown, "config": {}, "rootfs": rootfs}, "application/vnd.in-toto+json", statement
        )
        self.put(manifest, "manifest")
        self.put(attestation, "manifest")
        media_type = f"{OCI}manifest.v1+json"
        platform = {"architecture": "amd64", "os": "linux"}
        annotations = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": sha256(manifest),
        }
        index = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}index.v1+json",
            "manifests": [
                descriptor(media_type, manifest, platform=platform),
                descriptor(media_type, attestation, platform=unknown, annotations=annotations),
            ],
        }
        return self.put(encoded(index), "index", "latest")

    def manifest(self, config: Json, layer_type: str, layer: bytes) -> bytes:
        """The manifest of one layer, whose blobs are uploaded."""
        for content in (encoded(config), layer):
            self.upload(content)
        return encoded(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}manifest.v1+json",
                "config": descriptor(f"{OCI}config.v1+json", encoded(config)),
                "layers": [descriptor(layer_type, layer)],
            }
        )

    def upload(self, content: bytes) -> None:
        """Uploads a blob that is not there yet."""
        repository, digest = {"repositoryName": REPOSITORY}, sha256(content)
        answer = self.ecr.batch_check_layer_availability(layerDigests=[digest], **repository)
        if answer["layers"][0]["layerAvailability"] == "AVAILABLE":
            return
        upload = self.ecr.initiate_layer_upload(**repository)["uploadId"]
        self.ecr.upload_layer_part(
            uploadId=upload,
            partFirstByte=0,
            partLastByte=len(content) - 1,
            layerPartBlob=content,
            **repository,
        )
        self.ecr.complete_layer_upload(uploadId=upload, layerDigests=[digest], **repository)

    def put(self, manifest: bytes, kind: str, tag: str | None = None) -> tuple[str, str]:
        """Stores a manifest, under a tag if one is given; returns its digest and media type."""
        media_type = f"{OCI}{kind}.v1+json"
        self.ecr.put_image(
            repositoryName=REPOSITORY,
            imageManifest=manifest.decode(),
            imageManifestMediaType=media_type,
            **({"imageTag": tag} if tag else {}),
        )
        return sha256(manifest), media_type
