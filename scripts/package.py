"""Makes what others deploy without building: zips of the executables, and a plain template.

    ./scripts/package [--architecture x86_64|arm64] [--output FOLDER]
                      [--bootstrap FILE] [--promote FILE] [--build]
    ./scripts/package --template [--output FOLDER]

    --architecture   which processor the executables are for (default: this machine's)
    --output         where the files go (default: package/ in the target folder)
    --bootstrap      this executable as the function (default: the release binary)
    --promote        this executable as the operator's CLI (default: the release binary, if it is
                     there)
    --build          builds both by cargo-lambda, which links for the runtime's older glibc
    --template       only the template

The files are ecr-promoter-<version>-<architecture>.zip with the function, promote-<version>-
<architecture>.zip with the CLI, ecr-promoter-<version>.template.json, and SHA256SUMS of all that
are in the folder. An executable that would not start in the runtime is refused: one for another
processor, or one that needs a newer glibc. The template is template.yaml without its transform, and
takes the function's zip from a bucket that its parameter CodeBucket names.
"""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import elf
import pinned
from account import ROOT, TEMPLATE_BYTES, Json, template
from pinned import Problem, target_folder

FUNCTION = "EcrPromoterFunction"
REQUIREMENTS = "package-requirements.txt"
# The earliest time that a zip can hold: the same executable makes the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    """The version of the function."""
    with (ROOT / "Cargo.toml").open("rb") as file:
        manifest = tomllib.load(file)
    found: str = manifest["package"]["version"]
    return found


# The template


def code_parameters(number: str) -> Json:
    """The parameters that say where the function's zip is."""
    return {
        "CodeBucket": {
            "Type": "String",
            "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            "Description": "Bucket of this region with the function's zip.",
        },
        "CodeKey": {
            "Type": "String",
            "Default": "",
            "Description": "Key of the zip in that bucket. Empty: this version's, "
            f"ecr-promoter-{number}-<Architecture>.zip.",
        },
        "CodeObjectVersion": {
            "Type": "String",
            "Default": "",
            "Description": "Version of that object in a bucket with versions, or empty.",
        },
    }


def code(number: str) -> Json:
    """The function's code: the zip that the parameters name."""
    own = {"Fn::Sub": f"ecr-promoter-{number}-${{Architecture}}.zip"}
    no_value = {"Ref": "AWS::NoValue"}
    return {
        "S3Bucket": {"Ref": "CodeBucket"},
        "S3Key": {"Fn::If": ["HasCodeKey", {"Ref": "CodeKey"}, own]},
        "S3ObjectVersion": {
            "Fn::If": ["HasCodeObjectVersion", {"Ref": "CodeObjectVersion"}, no_value]
        },
    }


def is_given(parameter: str) -> Json:
    """The condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def translated(document: Json) -> Json:
    """The document without its transform, as AWS::Serverless expands it."""
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.public.exceptions import InvalidDocumentException
    from samtranslator.translator.translator import Translator

    # Only its partition counts, and the template names that by AWS::Partition.
    session = boto3.Session(region_name="us-east-1")
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    translator = Translator({}, Parser(), boto_session=session)
    try:
        plain: Json = translator.translate(document, {})
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise Problem(f"template.yaml cannot be transformed: {causes}") from error
    finally:
        translator.metrics.publish()  # to nobody, but it complains where that was forgotten
    return plain


def packaged_template() -> str:
    """template.yaml without a transform, and with parameters for the zip, as compact JSON."""
    number = version()
    document = template("template.yaml")
    properties = document["Resources"][FUNCTION]["Properties"]
    # Takes the place of the folder with the sources; what the transform makes of it is replaced.
    properties["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    plain = translated(document)
    plain["Parameters"] = {**code_parameters(number), **plain["Parameters"]}
    for name in ("CodeKey", "CodeObjectVersion"):
        plain["Conditions"][f"Has{name}"] = is_given(name)
    function = plain["Resources"][FUNCTION]
    function["Properties"]["Code"] = code(number)
    # What only `sam build` reads, and what says that SAM deployed it.
    function["Metadata"] = {"checkov": function["Metadata"]["checkov"]}
    del function["Properties"]["Tags"]
    interface = plain["Metadata"]["AWS::CloudFormation::Interface"]
    # Only the console shows labels. The parameters' descriptions say more, and room is short.
    del interface["ParameterLabels"]
    interface["ParameterGroups"].insert(
        0, {"Label": {"default": "Code"}, "Parameters": list(code_parameters(number))}
    )
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    check_template(plain, text)
    return text


def check_template(plain: Json, text: str) -> None:
    """Refuses a template that could not be deployed as it is."""
    if "Transform" in plain or "AWS::Serverless" in text:
        raise Problem("the packaged template still needs the transform AWS::Serverless")
    for region in re.findall(r'"arn:aws[^"]*us-east-1[^"]*"', json.dumps(plain["Resources"])):
        raise Problem(f"the packaged template is for one region only: {region}")
    size = len(text.encode())
    if size > TEMPLATE_BYTES:
        raise Problem(
            f"the packaged template has {size} bytes, and CloudFormation takes {TEMPLATE_BYTES} "
            "without a bucket: shorten descriptions in template.yaml"
        )


# The executables


def zipped(executable: Path, name: str) -> bytes:
    """A zip with this executable under this name: the same bytes for the same executable."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3  # Unix, whatever machine packs
    entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, executable.read_bytes(), compresslevel=9)
    return archive.getvalue()


def release_binary(name: str) -> Path:
    """Where cargo puts a release binary."""
    return target_folder() / "release" / name


def lambda_build(architecture: str, manifest: Path, name: str) -> Path:
    """Builds an executable that starts where the oldest glibc is the runtime's."""
    tools = pinned.environment("sam-requirements.txt") / "bin"
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Not as an argument, which cargo-lambda would hand to `cargo metadata` too.
    environment = {**os.environ, "PATH": path, "CARGO_TARGET_DIR": str(target_folder())}
    folder = target_folder() / "package-build"
    command = ["cargo-lambda", "lambda", "build", "--release", "--locked", "--bin", name]
    command += ["--manifest-path", str(manifest), "--lambda-dir", str(folder)]
    command += ["--arm64"] if architecture == "arm64" else ["--x86-64"]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise Problem(f"cargo-lambda could not build `{name}`, see above")
    return folder / name / "bootstrap"


def executables(options: argparse.Namespace) -> dict[str, Path]:
    """The executables by the name of their zip."""
    manifest = ROOT / "cli" / "Cargo.toml"
    if options.build:
        found = {
            "ecr-promoter": lambda_build(options.architecture, ROOT / "Cargo.toml", "ecr-promoter")
        }
        if manifest.is_file():
            found["promote"] = lambda_build(options.architecture, manifest, "promote")
        return found
    found = {"ecr-promoter": options.bootstrap or release_binary("ecr-promoter")}
    promote = options.promote or release_binary("promote")
    if options.promote or promote.is_file():
        found["promote"] = promote
    for path in found.values():
        if not path.is_file():
            raise Problem(
                f"there is no {path}: name an executable by --bootstrap, or build by --build"
            )
    return found


def checksums(folder: Path) -> None:
    """Writes the checksums of all files of the folder, as `sha256sum --check` reads them."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.suffix in (".zip", ".json")
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def package(options: argparse.Namespace) -> None:
    """Makes all files."""
    folder: Path = options.output or target_folder() / "package"
    files: dict[str, bytes] = {}
    if not options.template:
        # All are checked before one is written: a zip that would not start is never made.
        found = executables(options)
        for path in found.values():
            elf.check(path, options.architecture)
        for name, path in found.items():
            inside = "bootstrap" if name == "ecr-promoter" else name
            zip_name = f"{name}-{version()}-{options.architecture}.zip"
            files[zip_name] = zipped(path, inside)
    files[f"ecr-promoter-{version()}.template.json"] = packaged_template().encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        print(f"{len(content):>10}  {folder / name}")
    checksums(folder)


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="package", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own = elf.machine()
    parser.add_argument("--architecture", choices=("x86_64", "arm64"), default=own)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--bootstrap", type=Path)
    parser.add_argument("--promote", type=Path)
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--template", action="store_true")
    return parser.parse_args(arguments)


def go_on_in_environment(script: str) -> None:
    """Starts a script again with the Python that has the transform, unless it is that one."""
    pinned.go_on_with(pinned.interpreter(pinned.environment(REQUIREMENTS)), script)


if __name__ == "__main__":
    try:
        wanted = options_of(sys.argv[1:])
        go_on_in_environment(__file__)
        package(wanted)
    except Problem as problem:
        print(f"package: {problem}", file=sys.stderr)
        sys.exit(1)
