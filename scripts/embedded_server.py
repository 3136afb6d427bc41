"""Runs ministack, with the ECR of embedded_ecr.py, in the process that embedded_cloud.py starts.

E-mails, which ministack drops, are kept in a file. Not to be started by hand: it needs the Python
environment and the socket that embedded_cloud.py hands over.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import embedded_ecr
import embedded_roles
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as gateway
from ministack.core import lambda_runtime
from ministack.services import sns


def keep_mail(path: Path) -> None:
    """Keeps what SNS sends by e-mail: one JSON object a line.

    Subscriptions by e-mail count as confirmed.
    """
    fan_out = sns._fanout

    def deliver(
        topic_arn: str,
        msg_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        fan_out(topic_arn, msg_id, message, subject, message_structure, message_attributes, **more)
        text = sns._resolve_message_for_protocol(message, message_structure, "email")
        given = message_attributes or {}
        attributes = {name: value.get("StringValue") for name, value in given.items()}
        for subscription in sns._topic_by_arn_any_scope(topic_arn)["subscriptions"]:
            if subscription["protocol"] != "email":
                continue
            if sns._matches_filter_policy(subscription, given, text):
                mail = {
                    "to": subscription["endpoint"],
                    "subject": subject,
                    "text": text,
                    "attributes": attributes,
                }
                with path.open("a") as file:
                    file.write(json.dumps(mail) + "\n")

    sns._fanout = deliver


async def run(file_descriptor: int) -> None:
    """Serves on this socket until a signal comes or standard input ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def wait_for_the_end_of_input() -> None:
        # embedded_cloud.py holds the other end and writes nothing: the pipe closes even where that
        # process is killed.
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end_of_input, daemon=True).start()
    config = Config()
    config.bind = [f"fd://{file_descriptor}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.1
    await serve(gateway.app, config, shutdown_trigger=stop.wait)


def main() -> None:
    """Serves, and ends everything that was started."""
    folder = Path(os.environ["TMPDIR"])
    embedded_ecr.replace_operations()
    keep_mail(folder / "mail")
    embedded_roles.keep_assumed_roles(folder / "sessions")
    embedded_roles.add_event_bus_policies()
    embedded_roles.add_query_definitions()
    try:
        asyncio.run(run(int(sys.argv[1])))
    finally:
        lambda_runtime.reset()  # ends the functions, and waits for them
        shutil.rmtree(folder, ignore_errors=True)
        # This process leads its own group: nothing that was started here outlives it.
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
