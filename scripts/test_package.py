"""Tests scripts/package with small executables: which it refuses, and what is in its files.

    ./scripts/python test_package.py

Needs a C compiler.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import elf
import package
from account import TEMPLATE_BYTES, check
from pinned import Problem

# Where an ELF header says for which processor it is, and another one.
MACHINE, AARCH64, X86_64 = 18, b"\xb7\x00", b"\x3e\x00"


def compiled(folder: Path, *options: str) -> Path:
    """A small executable of this machine."""
    source, executable = folder / "main.c", folder / "small"
    source.write_text('#include <stdio.h>\nint main(void) { return puts("here") < 0; }\n')
    subprocess.run(["cc", str(source), "-o", str(executable), *options], check=True)
    return executable


def changed(path: Path, name: str, old: bytes, new: bytes) -> Path:
    """A copy in which some bytes are others of the same length."""
    content = path.read_bytes()
    check(old in content and len(old) == len(new), f"{path} has no {old!r}")
    copy = path.with_name(name)
    copy.write_bytes(content.replace(old, new))
    return copy


def packaged(bootstrap: Path, output: Path) -> str:
    """What scripts/package says that is wrong with an executable; nothing if it took it."""
    arguments = ["--bootstrap", str(bootstrap), "--output", str(output)]
    try:
        package.package(package.options_of(arguments))
    except Problem as problem:
        return str(problem)
    return ""


def refuses(folder: Path) -> None:
    """What would not start is refused, and no file is made."""
    small = compiled(folder)
    content = small.read_bytes()
    other = AARCH64 if elf.machine() == "x86_64" else X86_64
    for_other = small.with_name("other")
    for_other.write_bytes(content[:MACHINE] + other + content[MACHINE + 2 :])
    text = folder / "script"
    text.write_text("#!/bin/sh\n")
    for executable, complaint in [
        (changed(small, "newer", b"GLIBC_2.34\0", b"GLIBC_2.35\0"), "needs GLIBC_2.35"),
        (changed(small, "foreign", b"libc.so.6\0", b"libx.so.6\0"), "needs libx.so.6"),
        (for_other, "and the package is for"),
        (text, "is no executable of Linux"),
        (folder / "nothing", "there is no"),
    ]:
        said = packaged(executable, folder / "refused")
        check(complaint in said, f"{executable.name}: {complaint!r} is not in {said!r}")
    said = packaged(folder / "newer", folder / "refused")
    check("./scripts/package --build" in said, f"this does not say what helps: {said}")
    check(not (folder / "refused").exists(), "a file was made of what was refused")


def accepts(folder: Path) -> None:
    """What starts is packed, always to the same bytes."""
    zips = []
    for name, options in [("once", ()), ("again", ()), ("static", ("-static",))]:
        output = folder / name
        said = packaged(compiled(folder, *options), output)
        check(not said, f"{name}: {said}")
        archive = output / f"ecr-promoter-{package.version()}-{elf.machine()}.zip"
        zips.append(archive.read_bytes())
        with zipfile.ZipFile(archive) as file:
            modes = {entry.filename: entry.external_attr >> 16 for entry in file.infolist()}
        check(modes == {"bootstrap": 0o755}, f"the zip holds {modes}")
        sums = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=output, check=False)
        check(sums.returncode == 0, "the checksums do not fit")
    check(zips[0] == zips[1], "the same executable makes another zip")


def template() -> None:
    """The template needs no transform, and takes the code from a bucket."""
    text = package.packaged_template()
    plain = json.loads(text)
    check("Transform" not in plain, "there is a transform left")
    kinds = {resource["Type"] for resource in plain["Resources"].values()}
    check(not any(kind.startswith("AWS::Serverless") for kind in kinds), f"not plain: {kinds}")
    required = [name for name, one in plain["Parameters"].items() if "Default" not in one]
    check(required == ["CodeBucket"], f"these have no default: {required}")
    code = plain["Resources"][package.FUNCTION]["Properties"]["Code"]
    check(code["S3Bucket"] == {"Ref": "CodeBucket"}, f"the code is elsewhere: {code}")
    check(package.version() in json.dumps(code), "the default does not name this version's zip")
    check(len(text.encode()) <= TEMPLATE_BYTES, "too long for --template-body")


def main() -> int:
    """Runs all tests, and returns the exit status."""
    package.go_on_in_environment(__file__)
    with tempfile.TemporaryDirectory() as folder:
        refuses(Path(folder))
        accepts(Path(folder))
    template()
    print("test-package: what would not start is refused, and what starts is packed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        print(f"test-package: {problem}", file=sys.stderr)
        sys.exit(1)
