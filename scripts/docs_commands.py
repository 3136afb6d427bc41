"""Checks the AWS CLI commands of the documents: service, operation and options exist.

    scripts/docs_commands        (with the AWS CLI of docs-requirements.txt; no call is made)

Commands stand in blocks of `sh` and in inline code. What a shell makes of a block is checked by
`bash -n`; the commands of `promote` are parsed by cli/tests/documents.rs.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from awscli.clidriver import create_clidriver

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(aws [a-z][^`]*)`")
COMMAND = re.compile(r"(?<![\w./-])aws (?=[a-z])")
# What only version 2 of the AWS CLI has, which is not on PyPI.
NEWER_OPTIONS = {"cli-binary-format"}
NEWER_COMMANDS = {("logs", "tail"), ("sso", "login")}
END = {"|", "||", "&", "&&", ";", "(", ")", "<", ">", ">>", "`"}


def documents() -> list[Path]:
    """The Markdown files at the top, in docs/ and in examples/."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")])


def pieces(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each block and each inline command, with its line, and whether it is a block."""
    for found in BLOCK.finditer(text):
        yield text[: found.start()].count("\n") + 2, found.group(2), True
    prose = BLOCK.sub(lambda block: "\n" * block.group(0).count("\n"), text)
    for found in INLINE.finditer(prose):
        yield prose[: found.start()].count("\n") + 1, found.group(1), False


def commands(shell: str) -> Iterator[list[str]]:
    """The words of each AWS CLI command in a piece of shell, without `aws`."""
    joined = shell.replace("\\\n", " ")
    for found in COMMAND.finditer(joined):
        line = joined[found.end() :].split("\n", 1)[0]
        yield words(line)


def words(line: str) -> list[str]:
    """The words of a command up to its end."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found: list[str] = []
    try:
        for word in lexer:
            if word in END:
                break
            found.append(word)
    except ValueError:
        # The command stands inside quotes that the line does not close: `"$(aws … )"`.
        return words(line[: line.rindex(")")]) if ")" in line else found
    return found


def operations(found: Any) -> dict[str, Any]:
    """The operations of a service or of a command that has some."""
    own = getattr(found, "subcommand_table", None)
    return own if own is not None else getattr(found.create_help_command(), "command_table", {})


def problem(cli: Any, command: list[str]) -> str | None:
    """What is wrong with a command; nothing where it can be typed."""
    top = cli.create_help_command()
    services, common = top.command_table, top.arg_table
    names = [word for word in command if not word.startswith("-")]
    if not names or names[0] not in services:
        return f"there is no service `{names[0] if names else ''}`"
    if tuple(names[:2]) in NEWER_COMMANDS:
        return None
    table, depth = services, 0
    found = None
    while depth < len(names) and names[depth] in table:
        found = table[names[depth]]
        depth += 1
        table = operations(found)
    if table and names[depth:] and not getattr(found, "arg_table", {}):
        return f"`{names[0]}` has no operation `{names[depth]}`"
    known = {*getattr(found, "arg_table", {}), *common, *NEWER_OPTIONS}
    for word in command:
        option = word.split("=", 1)[0].removeprefix("--")
        if word.startswith("--") and option and option not in known:
            return f"`aws {' '.join(names[:depth])}` has no option --{option}"
    return None


def main() -> int:
    """Prints what is wrong."""
    cli = create_clidriver()
    wrong, count = [], 0
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for line, piece, is_block in pieces(text):
            where = f"{path.relative_to(ROOT)}:{line}"
            if is_block:
                shell = subprocess.run(
                    ["bash", "-n"], input=piece, capture_output=True, text=True, check=False
                )
                if shell.returncode:
                    wrong.append(f"{where}: {shell.stderr.strip()}")
            for command in commands(piece):
                count += 1
                said = problem(cli, command)
                if said:
                    wrong.append(f"{where}: aws {' '.join(command)}: {said}")
    if wrong:
        print("docs_commands: these cannot be typed:", *wrong, sep="\n", file=sys.stderr)
        return 1
    if not count:
        print("docs_commands: no command was found: this checks nothing", file=sys.stderr)
        return 1
    print(f"docs_commands: {count} commands of the AWS CLI can be typed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
