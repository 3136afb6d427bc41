"""Says whether an executable would start in Lambda's runtime provided.al2023.

elftools is imported where it is used, since the Python that starts a script need not have it.
"""

import platform
import re
from pathlib import Path

from pinned import Problem

# Amazon Linux 2023's: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = (2, 34)
# What ways of linking (GLIBC_ABI_DT_RELR) need that have a name and no number.
ABI = (2, 36)
# What the runtime's base image has of libraries.
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
LIBRARIES = re.compile(r"(ld-linux[\w-]*|libc|libdl|libgcc_s|libm|libpthread|librt)\.so\.\d+")
# As ELF and the template name processors.
MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}
MEND = (
    "build with `./scripts/package --build`, or by `sam build` or `cargo lambda build --release`, "
    "which link for an older glibc than this machine's"
)


def machine() -> str:
    """The processor of this machine, as the template names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def check(path: Path, architecture: str) -> None:
    """Refuses an executable that would not start in the runtime, and says why."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            executable = ELFFile(file)
            found = MACHINES.get(executable["e_machine"], executable["e_machine"])
            versions, libraries = needs(executable)
            loader = loader_of(executable)
    except ELFError as error:
        raise Problem(f"{path} is no executable of Linux: {error}") from error
    if found != architecture:
        raise Problem(f"{path} is for {found}, and the package is for {architecture}")
    newer = sorted({number for number in versions if number > GLIBC})
    if newer:
        names = ", ".join(f"GLIBC_{'.'.join(map(str, number))}" for number in newer)
        raise Problem(
            f"{path} needs {names}, and Lambda's runtime has glibc 2.34, so the function would not "
            f"start: {MEND}"
        )
    if loader and loader not in LOADERS:
        raise Problem(f"{path} is loaded by {loader}, which Lambda's runtime does not have: {MEND}")
    foreign = sorted(name for name in libraries if not LIBRARIES.fullmatch(name))
    if foreign:
        raise Problem(f"{path} needs {', '.join(foreign)}, which Lambda's runtime does not have")


def loader_of(executable: "object") -> str | None:
    """The program that loads a dynamic executable."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    assert isinstance(executable, ELFFile)
    segments = (it for it in executable.iter_segments() if isinstance(it, InterpSegment))
    return next((segment.get_interp_name() for segment in segments), None)


def needs(executable: "object") -> tuple[list[tuple[int, ...]], list[str]]:
    """The versions of glibc's symbols, and the libraries, that an executable needs."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    assert isinstance(executable, ELFFile)
    versions: list[tuple[int, ...]] = []
    libraries: list[str] = []
    is_dynamic = any(segment["p_type"] == "PT_INTERP" for segment in executable.iter_segments())
    if is_dynamic and not executable.num_sections():
        raise ELFError("its sections are missing, so it does not say which glibc it needs")
    for section in executable.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, symbols in section.iter_versions():
                for symbol in symbols:
                    known = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", symbol.name)
                    if known:
                        versions.append(tuple(int(part) for part in known[1].split(".")))
                    elif symbol.name.startswith("GLIBC_ABI_"):
                        versions.append(ABI)
        elif isinstance(section, DynamicSection):
            libraries += [tag.needed for tag in section.iter_tags("DT_NEEDED")]
    return versions, libraries
