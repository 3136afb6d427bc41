"""The process behind embedded_cloud.py: ministack, with an ECR that answers as AWS does.

Runs inside the virtual environment that embedded_cloud.py makes; not to be started by hand.
ministack's ECR keeps no layers, points their download URL at the real AWS, lists one tag per image, lets immutable
tags move and believes any digest. A promoter tested against that would prove nothing, so these calls are replaced
here; and e-mails, which ministack drops, are kept. Everything else is ministack's own.
"""
import asyncio
import base64
import fnmatch
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ministack import app as gateway
from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import ecr, sns
from ministack.services.cloudformation import provisioners


class Refused(Exception):
    """An answer of ECR that is an error: its code and its message."""


def answers(operation):
    """The calling convention of ministack's handlers around a function that returns a dict or raises Refused."""
    def handler(data):
        try:
            return json_response(operation(data))
        except Refused as refused:
            code, message = refused.args
            return error_response_json(code, message, 400)
    return handler


def repository(data):
    name = data.get("repositoryName", "")
    if name not in ecr._repositories:
        raise Refused("RepositoryNotFoundException",
                      f"The repository with name '{name}' does not exist in the registry with id '{get_account_id()}'")
    return name


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def page(rows, data, default):
    start = int(data.get("nextToken") or 0)
    end = start + int(data.get("maxResults") or default)
    return rows[start:end], ({"nextToken": str(end)} if end < len(rows) else {})


# Layers

def initiate_layer_upload(data):
    upload = new_uuid()
    ecr._uploads.setdefault(repository(data), {})[upload] = bytearray()
    return {"uploadId": upload, "partSize": 10 * 1024 * 1024}


def running_upload(data):
    uploads = ecr._uploads.get(repository(data), {})
    if data.get("uploadId") not in uploads:
        raise Refused("UploadNotFoundException", f"There is no upload with id '{data.get('uploadId')}'")
    return uploads


def upload_layer_part(data):
    received = running_upload(data)[data["uploadId"]]
    part = base64.b64decode(data.get("layerPartBlob", ""))
    if data.get("partFirstByte") != len(received) or data.get("partLastByte") != len(received) + len(part) - 1:
        raise Refused("InvalidLayerPartException", f"The part does not start at byte {len(received)} or has another length")
    received.extend(part)
    return {"registryId": get_account_id(), "repositoryName": data["repositoryName"], "uploadId": data["uploadId"],
            "lastByteReceived": len(received) - 1}


def complete_layer_upload(data):
    uploads, name = running_upload(data), data["repositoryName"]
    content = bytes(uploads[data["uploadId"]])
    if not content:
        raise Refused("EmptyUploadException", "The upload has no layer parts")
    digest = sha256(content)
    if digest not in data.get("layerDigests", []):
        raise Refused("InvalidLayerException", f"The layer's digest is '{digest}'")
    if digest in ecr._layer_blobs.get(name, {}):
        raise Refused("LayerAlreadyExistsException", f"Layer '{digest}' already exists in the repository '{name}'")
    ecr._layer_blobs.setdefault(name, {})[digest] = content
    del uploads[data["uploadId"]]
    return {"registryId": get_account_id(), "repositoryName": name, "uploadId": data["uploadId"], "layerDigest": digest}


def batch_check_layer_availability(data):
    blobs = ecr._layer_blobs.get(repository(data), {})
    return {"failures": [], "layers": [
        {"layerDigest": digest, "layerAvailability": "AVAILABLE" if digest in blobs else "UNAVAILABLE",
         "layerSize": len(blobs.get(digest, b""))} for digest in data.get("layerDigests", [])]}


def get_download_url_for_layer(data):
    name, digest = repository(data), data.get("layerDigest", "")
    if digest not in ecr._layer_blobs.get(name, {}):
        raise Refused("LayersNotFoundException", f"The layer with digest '{digest}' does not exist in the repository '{name}'")
    # `ns` tells the registry whose repository it is: the download is not signed.
    owner = f"{get_account_id()}.dkr.ecr.{get_region()}.amazonaws.com"
    return {"layerDigest": digest, "downloadUrl": f"{os.environ['AWS_ENDPOINT_URL']}/v2/{name}/blobs/{digest}?ns={owner}"}


# Images

def is_immutable(repo, tag):
    kind = repo.get("imageTagMutability", "MUTABLE")
    excluded = any(fnmatch.fnmatchcase(tag, rule["filter"]) for rule in repo.get("imageTagMutabilityExclusionFilters") or [])
    return {"IMMUTABLE": True, "IMMUTABLE_WITH_EXCLUSION": not excluded, "MUTABLE_WITH_EXCLUSION": excluded}.get(kind, False)


def put_image(data):
    name, manifest, tag = repository(data), data.get("imageManifest", ""), data.get("imageTag")
    digest = sha256(manifest.encode())
    if data.get("imageDigest") not in (None, digest):
        raise Refused("ImageDigestDoesNotMatchException", f"The manifest's digest is '{digest}', not '{data['imageDigest']}'")
    try:
        media_type = data.get("imageManifestMediaType") or json.loads(manifest).get("mediaType")
    except (ValueError, AttributeError):
        media_type = None
    if not media_type:
        raise Refused("InvalidParameterException", "Invalid parameter at 'imageManifestMediaType': the manifest has no media type")
    images = ecr._images.setdefault(name, [])
    image = next((i for i in images if i["imageDigest"] == digest), None)
    holder = next((i for i in images if tag and tag in i["imageTags"]), None)
    if image and (holder is image or not tag):
        raise Refused("ImageAlreadyExistsException",
                      f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}'")
    if holder:
        if is_immutable(ecr._repositories[name], tag):
            raise Refused("ImageTagAlreadyExistsException",
                          f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten "
                          "because the tag is immutable.")
        holder["imageTags"].remove(tag)
    if image is None:
        image = {"registryId": get_account_id(), "repositoryName": name, "imageId": {"imageDigest": digest},
                 "imageDigest": digest, "imageManifest": manifest, "imageManifestMediaType": media_type,
                 "imageTags": [], "imagePushedAt": time.time()}
        images.append(image)
    if tag:
        image["imageTags"].append(tag)
    return {"image": row(image, tag)}


def row(image, tag):
    return {"registryId": image["registryId"], "repositoryName": image["repositoryName"],
            "imageId": image_id(image, tag), "imageManifest": image["imageManifest"],
            "imageManifestMediaType": image["imageManifestMediaType"]}


def image_id(image, tag):
    return {"imageDigest": image["imageDigest"], **({"imageTag": tag} if tag else {})}


def matches(image, wanted):
    return wanted.get("imageDigest") in (None, image["imageDigest"]) and (
        "imageTag" not in wanted or wanted["imageTag"] in image["imageTags"])


def batch_get_image(data):
    images, failures = [], []
    for wanted in data.get("imageIds", []):
        image = next((i for i in ecr._images.get(repository(data), []) if matches(i, wanted)), None)
        if image is None:
            failures.append({"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
        else:
            # Asked for by its digest alone, an image comes back once for each of its tags.
            images += [row(image, tag) for tag in ([wanted["imageTag"]] if "imageTag" in wanted else image["imageTags"] or [None])]
    return {"images": images, "failures": failures}


def list_images(data):
    status = data.get("filter", {}).get("tagStatus", "ANY")
    rows = [image_id(image, tag) for image in ecr._images.get(repository(data), []) for tag in image["imageTags"] or [None]
            if status == "ANY" or (status == "TAGGED") == (tag is not None)]
    rows, more = page(rows, data, 100)
    return {"imageIds": rows, **more}


def describe_images(data):
    images = ecr._images.get(repository(data), [])
    for wanted in data.get("imageIds") or []:
        if not any(matches(image, wanted) for image in images):
            raise Refused("ImageNotFoundException", f"The image with imageId {json.dumps(wanted)} does not exist within the "
                          f"repository with name '{data['repositoryName']}' in the registry with id '{get_account_id()}'")
    if data.get("imageIds"):
        images = [image for image in images if any(matches(image, wanted) for wanted in data["imageIds"])]
    images, more = page(images, data, 100)
    return {**more, "imageDetails": [
        {"registryId": image["registryId"], "repositoryName": image["repositoryName"], "imageDigest": image["imageDigest"],
         **({"imageTags": image["imageTags"]} if image["imageTags"] else {}), "imageStatus": "ACTIVE",
         "imageSizeInBytes": len(image["imageManifest"]), "imagePushedAt": int(image["imagePushedAt"]),
         "imageManifestMediaType": image["imageManifestMediaType"]} for image in images]}


def with_exclusion_filters():
    """Repositories keep and report `imageTagMutabilityExclusionFilters`, made by the API or by CloudFormation."""
    key = "imageTagMutabilityExclusionFilters"
    create, shape, from_template = ecr._create_repository, ecr._repo_shape, provisioners._ecr_cfn_to_api
    change = ecr._put_image_tag_mutability

    def create_repository(data):
        answer = create(data)
        if answer[0] == 200 and data.get(key):
            ecr._repositories[data["repositoryName"]][key] = data[key]
        return answer

    def put_image_tag_mutability(data):
        answer = change(data)
        if answer[0] == 200:
            ecr._repositories[data["repositoryName"]][key] = data.get(key)
        return answer

    def repo_shape(repo):
        return {**shape(repo), **({key: repo[key]} if repo.get(key) else {})}

    def cfn_to_api(props):
        filters = [{"filterType": rule.get("ImageTagMutabilityExclusionFilterType", "WILDCARD"),
                    "filter": rule["ImageTagMutabilityExclusionFilterValue"]}
                   for rule in props.get("ImageTagMutabilityExclusionFilters") or []]
        return {**from_template(props), **({key: filters} if filters else {})}

    ecr._create_repository, ecr._repo_shape = create_repository, repo_shape
    ecr._put_image_tag_mutability, provisioners._ecr_cfn_to_api = put_image_tag_mutability, cfn_to_api


def with_mail():
    """E-mail subscriptions count as confirmed, and what they would send is kept: a JSON object a line in the file `mail`."""
    fan_out = sns._fanout

    def deliver(topic_arn, msg_id, message, subject, message_structure="", message_attributes=None, **more):
        fan_out(topic_arn, msg_id, message, subject, message_structure, message_attributes, **more)
        text = sns._resolve_message_for_protocol(message, message_structure, "email")
        attributes = {name: value.get("StringValue") for name, value in (message_attributes or {}).items()}
        for subscription in sns._topic_by_arn_any_scope(topic_arn)["subscriptions"]:
            if subscription["protocol"] == "email" and sns._matches_filter_policy(subscription, message_attributes or {}, text):
                with open(os.path.join(os.environ["TMPDIR"], "mail"), "a") as file:
                    file.write(json.dumps({"to": subscription["endpoint"], "subject": subject, "text": text,
                                           "attributes": attributes}) + "\n")

    sns._fanout = deliver


async def run(file_descriptor):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def wait_for_the_end_of_input():
        # embedded_cloud.py holds the other end and writes nothing: the pipe closes even where that process is killed.
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end_of_input, daemon=True).start()
    config = Config()
    config.bind = [f"fd://{file_descriptor}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.1
    await serve(gateway.app, config, shutdown_trigger=stop.wait)


def main():
    for operation in (initiate_layer_upload, upload_layer_part, complete_layer_upload, batch_check_layer_availability,
                      get_download_url_for_layer, put_image, batch_get_image, list_images, describe_images):
        setattr(ecr, f"_{operation.__name__}", answers(operation))
    with_exclusion_filters()
    with_mail()
    folder = os.environ["TMPDIR"]
    try:
        asyncio.run(run(int(sys.argv[1])))
    finally:
        lambda_runtime.reset()  # ends the functions, and waits for them
        shutil.rmtree(folder, ignore_errors=True)
        # This process leads its own group: nothing that was started here outlives it.
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
