"""Measures the release binary and the zip that a deploy uploads. bench/size.json has the last size.

    scripts/size             fails above the budget, and 3 % above the last size
    scripts/size --write     keeps the new size

It needs a release binary: cargo build --release --locked
"""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "bench" / "size.json"
# The budget, in bytes: Lambda reads a small package faster.
BUDGET = {"binary": 20_000_000, "zip": 8_000_000}
# By how much it may grow before somebody must say that this is meant.
GROWTH = 1.03


class Problem(Exception):
    """Something that the user can mend; the message says how."""


def target() -> Path:
    """The folder that cargo builds into, as in the other scripts."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CARGO_TARGET_DIR") or cache / "ecr-promoter" / "target")


def sections(elf: bytes) -> dict[str, int]:
    """The sizes of an executable's sections that are in the file, by name."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return {}
    (at,) = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    # Name, type, flags, address, offset, size.
    headers = [struct.unpack_from("<IIQQQQ", elf, at + n * size) for n in range(count)]
    first = headers[names][4]
    found = {}
    for name, kind, _, _, _, length in headers:
        start = first + name
        text = elf[start : elf.index(b"\0", start)].decode()
        # 8 is .bss, which takes no room in the file.
        if text and kind != 8:
            found[text] = length
    return found


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
    found = set()
    name = ""
    for line in lock.splitlines():
        if line.startswith('name = "'):
            name = line.split('"')[1]
        elif line.startswith('version = "') and name:
            found.add(f"{name} {line.split(chr(34))[1]}")
            name = ""
    return found


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
    now = measure(target() / "release" / "ecr-promoter")
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
