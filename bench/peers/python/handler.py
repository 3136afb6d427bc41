"""A push becomes an update of the stack, as Python usually does it: one call after the other."""

import json
from contextlib import suppress
from typing import Any

import boto3

PREFIX = "/ecr-promoter/apps/"
MEDIA_TYPES = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]

ecr = boto3.client("ecr")
cloudformation = boto3.client("cloudformation")
ssm = boto3.client("ssm")
dynamodb = boto3.client("dynamodb")


def read_image(repository: str, digest: str) -> dict[str, Any]:
    """The manifest of the image that was pushed."""
    answer = ecr.batch_get_image(
        repositoryName=repository,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=MEDIA_TYPES,
    )
    image: dict[str, Any] = answer["images"][0]
    return image


def read_stack(name: str) -> dict[str, Any]:
    """The stack, with its parameters."""
    stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return stack


def read_configuration(app: str) -> dict[str, Any]:
    """The app's configuration."""
    answer = ssm.get_parameter(Name=PREFIX + app)
    configuration: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
    return configuration


def commit_of(image: dict[str, Any]) -> str:
    """The commit that the image was built from."""
    annotations = json.loads(image["imageManifest"])["annotations"]
    return str(annotations["org.opencontainers.image.revision"])


def put_tag(repository: str, image: dict[str, Any], tag: str) -> None:
    """Gives the image the production tag."""
    with suppress(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(
            repositoryName=repository,
            imageManifest=image["imageManifest"],
            imageManifestMediaType=image["imageManifestMediaType"],
            imageDigest=image["imageId"]["imageDigest"],
            imageTag=tag,
        )


def update_stack(stack: dict[str, Any], parameter: str, tag: str, token: str) -> None:
    """Sets the stack's parameter, and keeps all others."""
    others = [p["ParameterKey"] for p in stack["Parameters"] if p["ParameterKey"] != parameter]
    cloudformation.update_stack(
        StackName=stack["StackName"],
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": parameter, "ParameterValue": tag},
            *({"ParameterKey": key, "UsePreviousValue": True} for key in others),
        ],
        Capabilities=stack["Capabilities"],
        ClientRequestToken=token,
    )


def write_state(app: str, digest: str, tag: str) -> None:
    """Notes what was promoted."""
    dynamodb.put_item(
        TableName="state",
        Item={
            "app": {"S": app},
            "item": {"S": "state"},
            "digest": {"S": digest},
            "tag": {"S": tag},
        },
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """One push."""
    app = event["detail"]["repository-name"]
    digest = event["detail"]["image-digest"]
    image = read_image(app, digest)
    configuration = read_configuration(app)
    stack = read_stack(configuration["stack"])
    tag = f"production_{commit_of(image)}"
    put_tag(app, image, tag)
    update_stack(stack, configuration.get("parameter", "ProductionTag"), tag, event["id"])
    write_state(app, digest, tag)
    return {"outcome": "promoted", "tag": tag}
