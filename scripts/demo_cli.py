"""The fifth part of the demonstration: an operator at a terminal, with the command `promote`.

The command is the real executable of `cli/`, built as its tests are. It talks to the embedded AWS
as to any other: it finds the function by the stack's output, and invokes it. ministack sends no
events of CloudFormation. The command does not need them: it asks for the status, which looks at the
stack.
"""

import re
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from account import REPOSITORY, ROOT, check
from pinned import tail, target_folder

if TYPE_CHECKING:
    from demo import Demo

SECONDS = 120
LONGEST = 84


def built() -> Path:
    """Builds the command as its tests do: what scripts/test has compiled is not compiled again."""
    target = target_folder()
    command = ["cargo", "test", "--locked", "--workspace", "--no-run", "--test", "command"]
    command += ["--target-dir", str(target)]
    cargo = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    check(cargo.returncode == 0, f"the build of promote failed:\n{tail(cargo.stderr)}")
    return target / "debug" / "promote"


class Operator:
    """Somebody who types commands, and what the terminal shows."""

    def __init__(self, demo: "Demo") -> None:
        self.demo, self.report = demo, demo.report
        self.binary = built()
        size = self.binary.stat().st_size / 1e6
        self.report.line("build", f"promote ({size:.1f} MB, without optimizations)", timed=True)

    def show(self) -> None:
        """Shows a rollback, followed to its end, and two reports."""
        self.report.title("5. At 3 am somebody rolls back, with the command `promote`")
        home = self.demo.aws
        before = home.stack(REPOSITORY)["Parameters"]
        last = self.types("rollback", REPOSITORY, "--yes", "--watch")[-1]
        after = home.settled(REPOSITORY)["Parameters"]
        runs = next(p["ParameterValue"] for p in after if p["ParameterKey"] == "ProductionTag")
        check(after != before, f"the rollback changed nothing: {runs}")
        shown = re.fullmatch(r"deployed: (\S+) \(sha256:[0-9a-f]{12}…\) runs in web, .+", last)
        check(shown, f"the last line is {last!r}")
        prefix = shown[1] if shown else ""
        check(runs.startswith(prefix), f"the last line names {prefix}, and the stack {runs}")
        rows = self.types("status")
        check(any(re.match(r"web +held ", row) for row in rows), f"web is not held: {rows}")
        # Links carry their own right, so they need a key.
        home.ssm.put_parameter(
            Name="/ecr-promoter/link-secret",
            Type="SecureString",
            Value=secrets.token_hex(32),
            Overwrite=True,
        )
        self.demo.restart()
        url = self.types("board")[-1]
        check(re.fullmatch(r"https?://\S+/board\S*", url), f"no link to the board: {url}")

    def types(self, *words: str) -> list[str]:
        """Runs the command, which must end with 0, and shows what it prints on stdout."""
        environment = self.demo.aws.cloud.client_environment()
        environment["NO_COLOR"] = "1"
        command = [str(self.binary), *words]
        ran = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.report.detail(ran.stderr)
        code, stdout = ran.returncode, ran.stdout
        check(code == 0, f"promote {' '.join(words)} ended with {code}:\n{stdout}{ran.stderr}")
        lines = stdout.splitlines()
        self.report.line("$", f"promote {' '.join(words)}", timed=True)
        for line in lines:
            self.report.line("", line if len(line) <= LONGEST else f"{line[:LONGEST]}…")
        self.report.line("exit", str(code))
        return lines
