"""Makes ministack's ECR as strict as AWS's, for the demonstration and for the tests.

ministack's ECR keeps no layers, points their download address at the real AWS, lists one tag per
image, lets immutable tags move, and accepts any manifest and any digest. A promoter tested against
that would prove nothing, so these operations are replaced here. The rest is ministack's own.

Runs inside the Python environment that embedded_cloud.py makes, in the process of
embedded_server.py.
"""

import base64
import fnmatch
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    request_scope,
)
from ministack.services import ecr
from ministack.services.cloudformation import provisioners

# A request or an answer of the API, or an image as ministack stores it.
Json = dict[str, Any]

PAGE = 100
PART_BYTES = 10 * 1024 * 1024
# Signs the download address of each layer: whoever has the address can read the layer. The tests
# look for it in the function's logs (tests/emulator/ecr.rs).
LAYER_SIGNATURE = "6e5f1d0cafe-layer-signature-2a7b"


class Refused(Exception):
    """An error of ECR: its code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def replace_operations() -> None:
    """Puts the operations of this file in the place of ministack's."""
    for operation in (
        batch_check_layer_availability,
        batch_get_image,
        complete_layer_upload,
        describe_images,
        get_download_url_for_layer,
        initiate_layer_upload,
        list_images,
        put_image,
        upload_layer_part,
    ):
        setattr(ecr, f"_{operation.__name__}", answering(operation))
    keep_exclusion_filters()
    check_layer_signatures()


def answering(operation: Callable[[Json], Json]) -> Callable[[Json], Any]:
    """Turns what an operation returns, or `Refused`, into the response that ministack expects.

    The request is about the registry that it names, and by default about the caller's own.
    """

    def handler(data: Json) -> Any:
        try:
            with request_scope(data.get("registryId") or get_account_id(), get_region()):
                return json_response(operation(data))
        except Refused as refused:
            return error_response_json(refused.code, refused.message, 400)

    return handler


def repository(data: Json) -> str:
    """The name of the repository that the request is about, which exists."""
    name: str = data.get("repositoryName", "")
    if name not in ecr._repositories:
        raise Refused(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id "
            f"'{get_account_id()}'",
        )
    return name


def sha256(content: bytes) -> str:
    """The digest of these bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def page(rows: list[Json], data: Json) -> tuple[list[Json], Json]:
    """The rows of the page that was asked for, and the token of the next page, if there is one."""
    start = int(data.get("nextToken") or 0)
    end = start + int(data.get("maxResults") or PAGE)
    return rows[start:end], ({"nextToken": str(end)} if end < len(rows) else {})


# Layers


def layers(name: str) -> dict[str, bytes]:
    """The layers and image configs of a repository, by digest."""
    found: dict[str, bytes] = ecr._layer_blobs.get(name, {})
    return found


def initiate_layer_upload(data: Json) -> Json:
    """Begins an upload."""
    upload = new_uuid()
    ecr._uploads.setdefault(repository(data), {})[upload] = bytearray()
    return {"uploadId": upload, "partSize": PART_BYTES}


def running_uploads(data: Json) -> dict[str, bytearray]:
    """The uploads of the repository; the one that the request is about is among them."""
    uploads: dict[str, bytearray] = ecr._uploads.get(repository(data), {})
    if data.get("uploadId") not in uploads:
        raise Refused(
            "UploadNotFoundException", f"There is no upload with id '{data.get('uploadId')}'"
        )
    return uploads


def upload_layer_part(data: Json) -> Json:
    """Takes the next bytes of an upload."""
    received = running_uploads(data)[data["uploadId"]]
    part = base64.b64decode(data.get("layerPartBlob", ""))
    first, last = len(received), len(received) + len(part) - 1
    if data.get("partFirstByte") != first or data.get("partLastByte") != last:
        raise Refused(
            "InvalidLayerPartException",
            f"The part does not start at byte {first} or has another length",
        )
    received.extend(part)
    return {
        "registryId": get_account_id(),
        "repositoryName": data["repositoryName"],
        "uploadId": data["uploadId"],
        "lastByteReceived": last,
    }


def complete_layer_upload(data: Json) -> Json:
    """Ends an upload: the layer is there from then on."""
    uploads, name = running_uploads(data), data["repositoryName"]
    content = bytes(uploads[data["uploadId"]])
    if not content:
        raise Refused("EmptyUploadException", "The upload has no layer parts")
    digest = sha256(content)
    if digest not in data.get("layerDigests", []):
        raise Refused("InvalidLayerException", f"The layer's digest is '{digest}'")
    if digest in layers(name):
        raise Refused(
            "LayerAlreadyExistsException",
            f"Layer '{digest}' already exists in the repository '{name}'",
        )
    ecr._layer_blobs.setdefault(name, {})[digest] = content
    del uploads[data["uploadId"]]
    return {
        "registryId": get_account_id(),
        "repositoryName": name,
        "uploadId": data["uploadId"],
        "layerDigest": digest,
    }


def batch_check_layer_availability(data: Json) -> Json:
    """Says which of these layers are there."""
    there = layers(repository(data))
    rows = [
        {
            "layerDigest": digest,
            "layerAvailability": "AVAILABLE" if digest in there else "UNAVAILABLE",
            "layerSize": len(there.get(digest, b"")),
        }
        for digest in data.get("layerDigests", [])
    ]
    return {"failures": [], "layers": rows}


def get_download_url_for_layer(data: Json) -> Json:
    """The signed address of a layer."""
    name, digest = repository(data), data.get("layerDigest", "")
    if digest not in layers(name):
        raise Refused(
            "LayersNotFoundException",
            f"The layer with digest '{digest}' does not exist in the repository '{name}'",
        )
    # `ns` names the registry, since the download carries no credentials.
    owner = f"{get_account_id()}.dkr.ecr.{get_region()}.amazonaws.com"
    query = urlencode({"ns": owner, "X-Amz-Signature": LAYER_SIGNATURE})
    url = f"{os.environ['AWS_ENDPOINT_URL']}/v2/{name}/blobs/{digest}?{query}"
    return {"layerDigest": digest, "downloadUrl": url}


def check_layer_signatures() -> None:
    """Lets nobody read a layer without the signature."""
    handle = ecr.handle_registry_request

    async def handle_registry_request(
        method: str, path: str, headers: Json, body: bytes, query_params: Json
    ) -> Any:
        is_download = method in ("GET", "HEAD") and "/blobs/sha256:" in path
        if is_download and LAYER_SIGNATURE not in query_params.get("X-Amz-Signature", ()):
            content = b"<Error><Code>AccessDenied</Code></Error>"
            return 403, {"Content-Type": "application/xml"}, content
        return await handle(method, path, headers, body, query_params)

    ecr.handle_registry_request = handle_registry_request


# Images


def put_image(data: Json) -> Json:
    """Stores a manifest whose layers are there, or puts a tag on a stored one."""
    name, manifest = repository(data), data.get("imageManifest", "")
    tag: str = data.get("imageTag") or ""
    digest = sha256(manifest.encode())
    if data.get("imageDigest") not in (None, digest):
        raise Refused(
            "ImageDigestDoesNotMatchException",
            f"The manifest's digest is '{digest}', not '{data['imageDigest']}'",
        )
    parsed = parse(manifest)
    named = data.get("imageManifestMediaType")
    media_type = check_media_type(parsed, named)
    images = ecr._images.setdefault(name, [])
    image = next((i for i in images if i["imageDigest"] == digest), None)
    if image is None:
        check_references(name, parsed)
    elif image["imageManifestMediaType"] != media_type:
        raise Refused(
            "InvalidParameterException",
            f"The image was pushed as {image['imageManifestMediaType']}, not {media_type}",
        )
    holder = next((i for i in images if tag in i["imageTags"]), None)
    if image and (holder is image or not tag):
        raise Refused(
            "ImageAlreadyExistsException",
            f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with "
            f"name '{name}'",
        )
    if holder:
        if is_immutable(ecr._repositories[name], tag):
            raise Refused(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{name}' repository and cannot be "
                "overwritten because the tag is immutable.",
            )
        holder["imageTags"].remove(tag)
    if image is None:
        image = stored(name, digest, manifest, media_type)
        images.append(image)
    if tag:
        image["imageTags"].append(tag)
    return {"image": row(image, tag)}


def stored(name: str, digest: str, manifest: str, media_type: str) -> Json:
    """A new image as ministack stores it, without tags."""
    return {
        "registryId": get_account_id(),
        "repositoryName": name,
        "imageId": {"imageDigest": digest},
        "imageDigest": digest,
        "imageManifest": manifest,
        "imageManifestMediaType": media_type,
        "imageTags": [],
        "imagePushedAt": time.time(),
    }


def parse(manifest: str) -> Json:
    """The manifest, which must be a JSON object."""
    try:
        parsed = json.loads(manifest)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused(
            "InvalidParameterException",
            "Invalid parameter at 'imageManifest': the manifest is not a JSON object",
        )
    return parsed


def check_media_type(manifest: Json, named: str | None) -> str:
    """The media type of a manifest, which is in the manifest or in the request."""
    own: str | None = manifest.get("mediaType")
    media_type = own or named
    if not media_type:
        raise Refused(
            "InvalidParameterException",
            "Invalid parameter at 'imageManifestMediaType': the manifest has no media type",
        )
    if named not in (None, media_type):
        raise Refused(
            "InvalidParameterException",
            f"Invalid parameter at 'imageManifestMediaType': the manifest's is '{own}'",
        )
    return media_type


def check_references(name: str, manifest: Json) -> None:
    """Refuses a new image whose layers, or a new index whose images, were not pushed before."""
    wanted = {
        blob["digest"] for blob in [manifest.get("config"), *each(manifest, "layers")] if blob
    }
    if missing := sorted(wanted - layers(name).keys()):
        raise Refused(
            "LayersNotFoundException",
            f"Layers with digests '{missing}' required for pushing image into repository with name "
            f"'{name}' in the registry with id '{get_account_id()}' do not exist",
        )
    children = {child["digest"] for child in each(manifest, "manifests")}
    there = {image["imageDigest"] for image in ecr._images.get(name, [])}
    if missing := sorted(children - there):
        raise Refused(
            "ReferencedImagesNotFoundException",
            f"Images with digests '{missing}' required for pushing image into repository with name "
            f"'{name}' in the registry with id '{get_account_id()}' do not exist",
        )


def each(manifest: Json, key: str) -> Iterable[Json]:
    """The descriptors under this key."""
    found: list[Json] = manifest.get(key) or []
    return found


def is_immutable(repo: Json, tag: str) -> bool:
    """Whether this tag of the repository stays on the image that has it."""
    kind = repo.get("imageTagMutability", "MUTABLE")
    filters = repo.get("imageTagMutabilityExclusionFilters") or []
    excluded = any(fnmatch.fnmatchcase(tag, rule["filter"]) for rule in filters)
    kinds = {
        "IMMUTABLE": True,
        "IMMUTABLE_WITH_EXCLUSION": not excluded,
        "MUTABLE_WITH_EXCLUSION": excluded,
    }
    return kinds.get(kind, False)


def row(image: Json, tag: str) -> Json:
    """One row of BatchGetImage."""
    return {
        "registryId": image["registryId"],
        "repositoryName": image["repositoryName"],
        "imageId": image_id(image, tag),
        "imageManifest": image["imageManifest"],
        "imageManifestMediaType": image["imageManifestMediaType"],
    }


def image_id(image: Json, tag: str) -> Json:
    """The digest of an image and one of its tags, or none where the tag is empty."""
    return {"imageDigest": image["imageDigest"], **({"imageTag": tag} if tag else {})}


def matches(image: Json, wanted: Json) -> bool:
    """Whether this is the image with the digest, the tag or both that the request names."""
    has_digest = wanted.get("imageDigest") in (None, image["imageDigest"])
    return has_digest and ("imageTag" not in wanted or wanted["imageTag"] in image["imageTags"])


def batch_get_image(data: Json) -> Json:
    """The manifests of these images. One whose media type is not accepted counts as missing."""
    there, accepted = ecr._images.get(repository(data), []), data.get("acceptedMediaTypes") or []
    images: list[Json] = []
    failures: list[Json] = []
    for wanted in data.get("imageIds", []):
        image = next((i for i in there if matches(i, wanted)), None)
        if image is None or image["imageManifestMediaType"] not in accepted:
            failures.append(
                {
                    "imageId": wanted,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        # Asked for by its digest alone, an image comes back once for each of its tags.
        tags = [wanted["imageTag"]] if "imageTag" in wanted else image["imageTags"] or [""]
        images += [row(image, tag) for tag in tags]
    return {"images": images, "failures": failures}


def list_images(data: Json) -> Json:
    """One row for each tag; an image without tags has one row without a tag."""
    status = data.get("filter", {}).get("tagStatus", "ANY")
    rows = [
        image_id(image, tag)
        for image in ecr._images.get(repository(data), [])
        for tag in image["imageTags"] or [""]
        if status == "ANY" or (status == "TAGGED") == bool(tag)
    ]
    rows, more = page(rows, data)
    return {"imageIds": rows, **more}


def describe_images(data: Json) -> Json:
    """Everything about these images, or about all, but their manifests."""
    images = ecr._images.get(repository(data), [])
    ids = data.get("imageIds") or []
    for wanted in ids:
        if not any(matches(image, wanted) for image in images):
            raise Refused(
                "ImageNotFoundException",
                f"The image with imageId {json.dumps(wanted)} does not exist within the repository "
                f"with name '{data['repositoryName']}' in the registry with id "
                f"'{get_account_id()}'",
            )
    if ids:
        images = [image for image in images if any(matches(image, wanted) for wanted in ids)]
    images, more = page(images, data)
    return {"imageDetails": [detail(image) for image in images], **more}


def detail(image: Json) -> Json:
    """One row of DescribeImages."""
    return {
        "registryId": image["registryId"],
        "repositoryName": image["repositoryName"],
        "imageDigest": image["imageDigest"],
        **({"imageTags": image["imageTags"]} if image["imageTags"] else {}),
        "imageStatus": "ACTIVE",
        "imageSizeInBytes": len(image["imageManifest"]),
        "imagePushedAt": int(image["imagePushedAt"]),
        "imageManifestMediaType": image["imageManifestMediaType"],
    }


# Repositories


def keep_exclusion_filters() -> None:
    """Lets repositories have `imageTagMutabilityExclusionFilters`, by the API or CloudFormation."""
    key = "imageTagMutabilityExclusionFilters"
    create, shape, from_template = (
        ecr._create_repository,
        ecr._repo_shape,
        provisioners._ecr_cfn_to_api,
    )
    change = ecr._put_image_tag_mutability

    def create_repository(data: Json) -> Any:
        answer = create(data)
        if answer[0] == 200 and data.get(key):
            ecr._repositories[data["repositoryName"]][key] = data[key]
        return answer

    def put_image_tag_mutability(data: Json) -> Any:
        answer = change(data)
        if answer[0] == 200:
            ecr._repositories[data["repositoryName"]][key] = data.get(key)
        return answer

    def repo_shape(repo: Json) -> Json:
        return {**shape(repo), **({key: repo[key]} if repo.get(key) else {})}

    def cfn_to_api(props: Json) -> Json:
        filters = [
            {
                "filterType": rule.get("ImageTagMutabilityExclusionFilterType", "WILDCARD"),
                "filter": rule["ImageTagMutabilityExclusionFilterValue"],
            }
            for rule in props.get("ImageTagMutabilityExclusionFilters") or []
        ]
        return {**from_template(props), **({key: filters} if filters else {})}

    ecr._create_repository, ecr._repo_shape = create_repository, repo_shape
    ecr._put_image_tag_mutability = put_image_tag_mutability
    provisioners._ecr_cfn_to_api = cfn_to_api
