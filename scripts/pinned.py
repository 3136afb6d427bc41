"""Makes a Python environment from pinned hashes, and prints its folder.

    scripts/python pinned.py lint-requirements.txt

It is made once, outside the clone, and made again when the file with the hashes changes.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Problem(Exception):
    """Something that the user can mend; the message says how."""


def cache() -> Path:
    """The folder of everything that is made once for all clones."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ecr-promoter"


def target_folder() -> Path:
    """The folder that cargo builds into."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or cache() / "target")


def tell_on_stderr(text: str) -> None:
    """Prints a line for the user; standard output belongs to the result."""
    print(text, file=sys.stderr, flush=True)


def environment(
    requirements: str,
    tell: Callable[[str], None] = tell_on_stderr,
    folder: Path | None = None,
) -> Path:
    """The folder of the environment with these requirements, which is made if it is missing.

    `tell` gets the message that it is being made. Unless `folder` is given, it is a folder of the
    cache, named after the file and its content.
    """
    version = f"{sys.version_info[:2]}{platform.machine()}"
    content = (HERE / requirements).read_bytes() + version.encode()
    wanted = hashlib.sha256(content).hexdigest()
    name = requirements.removesuffix("requirements.txt") or "venv-"
    folder = folder or cache() / f"{name}{wanted[:12]}"
    # Marks the folder as made here, and as complete once it says what was wanted.
    mark = folder / "ecr-promoter"
    lock_file = folder.with_name(folder.name + ".lock")
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file.open("w")
    except OSError as error:
        raise Problem(
            f"{folder} cannot be written ({error.strerror}): "
            "name another folder in EMBEDDED_CLOUD_VENV or XDG_CACHE_HOME."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = mark.is_file() and mark.read_text() == wanted
        if not (complete and os.access(interpreter(folder), os.X_OK)):
            if folder.is_dir() and any(folder.iterdir()) and not mark.exists():
                raise Problem(
                    f"{folder} is not empty and was not made by this script: "
                    "name another folder in EMBEDDED_CLOUD_VENV."
                )
            tell(f"making the Python environment {folder} (once; about a minute)")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            mark.write_text("")
            install(folder, requirements)
            mark.write_text(wanted)
    return folder


def interpreter(folder: Path) -> Path:
    """The Python of an environment."""
    return folder / "bin" / "python"


def go_on_with(interpreter: Path, script: str) -> None:
    """Starts a script again with this Python, unless it is the one that runs."""
    if Path(sys.executable).absolute() != interpreter.absolute():
        sys.stdout.flush()
        # -B: the clone stays as it was.
        os.execv(interpreter, [str(interpreter), "-B", str(Path(script).resolve()), *sys.argv[1:]])


def install(folder: Path, requirements: str) -> None:
    """Fills the folder. Each file of requirements names all packages, so pip looks for no other."""
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError as error:
        raise Problem(
            "this Python has no `venv` module. Debian and Ubuntu have it in a package of its own: "
            f"`sudo apt install python{sys.version_info.major}.{sys.version_info.minor}-venv`."
        ) from error
    command = [str(interpreter(folder)), "-m", "pip", "install", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["--requirement", str(HERE / requirements)]
    try:
        venv.create(folder, with_pip=True)
        pip = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Problem(f"the Python environment {folder} could not be made: {error}") from error
    if pip.returncode:
        raise Problem(
            f"pip could not install scripts/{requirements}. It needs a Python package index once "
            f"(network, proxy, or pip's own configuration). It said:\n{tail(pip.stdout)}"
        )


def tail(text: str) -> str:
    """The last lines of a long output, indented."""
    return "\n".join("    " + line for line in text.strip().splitlines()[-6:])


def main(arguments: list[str]) -> int:
    """Makes the environment of one file of this folder."""
    if len(arguments) != 1 or not (HERE / arguments[0]).is_file():
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    print(environment(arguments[0]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"pinned: {problem}", file=sys.stderr)
        sys.exit(1)
