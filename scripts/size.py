"""Measures the release binary and the zip that a deploy uploads. bench/size.json has the last size.

    scripts/size             fails above the budget, and 3 % above the last size
    scripts/size --write     keeps the new size

It needs a release binary: cargo build --release --locked
"""

import io
import json
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path
from typing import Any

import package
from account import ROOT
from pinned import Problem

KEPT = ROOT / "bench" / "size.json"
# The budget, in bytes: Lambda reads a small package faster.
BUDGET = {"binary": 20_000_000, "zip": 8_000_000}
# By how much it may grow before somebody must say that this is meant.
GROWTH = 1.03


def sections(content: bytes) -> dict[str, int]:
    """The sizes of an executable's sections that are in the file, by name."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        found = ELFFile(io.BytesIO(content)).iter_sections()
    except ELFError:
        return {}
    # SHT_NOBITS is .bss, which takes no room in the file.
    return {
        section.name: section["sh_size"]
        for section in found
        if section.name and section["sh_type"] != "SHT_NOBITS"
    }


def measure(binary: Path) -> dict[str, Any]:
    """What is compared and kept."""
    try:
        content = binary.read_bytes()
    except OSError as error:
        raise Problem(
            f"{binary} cannot be read ({error.strerror}): build it with "
            "`cargo build --release --locked`."
        ) from error
    # A zip has some hundred bytes of headers beside this.
    deflate = zlib.compressobj(9, wbits=-15)
    zipped = len(deflate.compress(content)) + len(deflate.flush())
    return {"binary": len(content), "zip": zipped, "sections": sections(content)}


def git(*arguments: str) -> str:
    """What git prints, or nothing where it cannot say."""
    command = ["git", "-C", str(ROOT), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout if run.returncode == 0 else ""


def crates(lock: str) -> set[str]:
    """The packages of a lock file, with their versions."""
    locked = tomllib.loads(lock).get("package", [])
    return {f"{its['name']} {its['version']}" for its in locked}


def growth(now: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """What grew: the sections by how much, and the packages that are new or newer."""
    lines = []
    for name, size in sorted(now["sections"].items(), key=lambda item: -item[1]):
        before = kept["sections"].get(name, 0)
        if abs(size - before) >= 10_000:
            lines.append(f"    {name}: {size:,} bytes, {size - before:+,}")
    new = crates((ROOT / "Cargo.lock").read_text()) - crates(
        git("show", f"{kept['commit']}:Cargo.lock")
    )
    if new:
        lines.append(f"    in Cargo.lock since {kept['commit']}: {', '.join(sorted(new))}")
    return lines


def problems(now: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """What is wrong, a line each."""
    wrong = [
        f"the {what} has {now[what]:,} bytes, and may have {most:,}."
        for what, most in BUDGET.items()
        if now[what] > most
    ]
    wrong += [
        f"the {what} has {now[what]:,} bytes, and had {kept[what]:,} at {kept['commit']}. "
        "If that is meant, keep it with `./scripts/size --write`."
        for what in BUDGET
        if now[what] > kept[what] * GROWTH
    ]
    return wrong


def main(arguments: list[str]) -> int:
    """Compares or keeps."""
    if arguments not in ([], ["--write"]):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    package.go_on_in_environment(__file__)
    now = measure(package.release_binary("ecr-promoter"))
    print(f"binary {now['binary']:,} bytes, zipped {now['zip']:,}")
    if arguments:
        kept = {"commit": git("rev-parse", "--short=10", "HEAD").strip(), **now}
        KEPT.write_text(json.dumps(kept, indent=2) + "\n")
        return 0
    kept = json.loads(KEPT.read_text())
    wrong = problems(now, kept)
    for line in wrong:
        print(f"size: {line}", file=sys.stderr)
    if wrong:
        print("\n".join(growth(now, kept)), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"size: {problem}", file=sys.stderr)
        sys.exit(1)
