"""Roles of other accounts in ministack, for the demonstration.

ministack gives anybody a session of any role, and remembers nothing of what CloudTrail would show.
Here a role must be there and its trust policy must name the external id that is given; who was
given a session is kept in a file. What the session may do, ministack does not check.

Runs inside the Python environment that embedded_cloud.py makes, in the process of
embedded_server.py.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ministack.core.responses import get_account_id
from ministack.services import eventbridge, iam, sts
from ministack.services.cloudformation import provisioners

Json = dict[str, Any]


def keep_assumed_roles(path: Path) -> None:
    """Answers AssumeRole more strictly, and keeps each session: one JSON object a line."""
    answer = sts.handle_request

    async def handle_request(
        method: str, path_: str, headers: Json, body: bytes, query_params: Json
    ) -> Any:
        given = parse_qs(body.decode()) if method == "POST" else dict(query_params)

        def value(name: str) -> str | None:
            values: list[str] = given.get(name) or []
            return values[0] if values else None

        if value("Action") != "AssumeRole":
            return await answer(method, path_, headers, body, query_params)
        role = value("RoleArn") or ""
        if not is_trusting(role, value("ExternalId")):
            message = f"User: {get_account_id()} is not authorized to perform: sts:AssumeRole"
            return iam._error(403, "AccessDenied", f"{message} on resource: {role}", ns="sts")
        session = {
            "role": role,
            "session_name": value("RoleSessionName"),
            "source_identity": value("SourceIdentity"),
        }
        with path.open("a") as file:
            file.write(json.dumps(session) + "\n")
        return await answer(method, path_, headers, body, query_params)

    sts.handle_request = handle_request


def is_trusting(arn: str, external_id: str | None) -> bool:
    """Whether the role is there, and lets whoever gives this external id assume it."""
    account, name = arn.split(":")[4], arn.split("/")[-1]
    role = iam._roles.get_scoped(account, None, name)
    if role is None:
        return False
    document = role.get("AssumeRolePolicyDocument") or "{}"
    policy: Json = json.loads(document) if isinstance(document, str) else document
    for statement in policy.get("Statement", []):
        wanted = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
        if statement["Action"] == "sts:AssumeRole" and wanted in (None, external_id):
            return True
    return False


def add_event_bus_policies() -> None:
    """Lets templates have `AWS::Events::EventBusPolicy`, as PutPermission keeps it."""

    def create(logical_id: str, props: Json, stack_name: str) -> tuple[str, Json]:
        statement = props["Statement"]
        eventbridge._put_permission(
            {
                "EventBusName": props.get("EventBusName", "default"),
                "StatementId": props["StatementId"],
                "Action": statement["Action"],
                "Principal": statement["Principal"],
                "Condition": statement.get("Condition"),
            }
        )
        return f"{stack_name}-{logical_id}", {}

    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {
        "create": create,
        "delete": lambda _physical_id, _props: None,
    }


def add_query_definitions() -> None:
    """Lets templates have `AWS::Logs::QueryDefinition`, which only people look at."""
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, _props, stack_name: (f"{stack_name}-{logical_id}", {}),
        "delete": lambda _physical_id, _props: None,
    }
