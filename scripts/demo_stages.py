"""The fourth part of the demonstration: one image, three stages, two accounts, two regions.

`web` runs in ecr-promoter's own account. `web-us` comes after it, in another account, when a person
has approved. `web-eu` comes after that by itself, in another region, where its stack pulls from a
replica.

ministack starts no tasks, sends no events of CloudFormation and replicates no images. So `verify`
is off, and this script sends the events and copies the image, as AWS would do. It checks that the
rules of both templates let each event through.
"""

import json
import time
from typing import TYPE_CHECKING

from account import OCI, REPOSITORY, ROOT, Aws, Image, Json, check, template, until
from embedded_cloud import ACCOUNT, REGION

if TYPE_CHECKING:
    from demo import Demo

OTHER_ACCOUNT = "222222222222"
OTHER_REGION = "eu-west-1"
TARGET = "ecr-promoter-target"
EXTERNAL_ID = "acme-7f3a"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/{TARGET}"
HOME_BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
REPLICA = f"arn:aws:ecr:{OTHER_REGION}:{ACCOUNT}:repository/{REPOSITORY}"


class Stages:
    """Three apps of one repository: what they deploy, and how an image goes through them."""

    def __init__(self, demo: "Demo") -> None:
        self.demo, self.report, self.home = demo, demo.report, demo.aws
        cloud = self.home.cloud
        self.us = Aws(cloud, OTHER_ACCOUNT, REGION)
        self.eu = Aws(cloud, OTHER_ACCOUNT, OTHER_REGION)
        self.replica = Aws(cloud, ACCOUNT, OTHER_REGION)

    def show(self) -> None:
        """Shows all of it."""
        self.report.title(
            "4. One image, three stages: `web`, `web-us` in another account when a person has "
            "approved,\n   `web-eu` in another region by itself"
        )
        self.deploy()
        self.first_stage()
        self.second_stage()
        self.third_stage()

    # Accounts

    def deploy(self) -> None:
        """Lets ecr-promoter reach the other account, and deploys the stages there."""
        demo, home = self.demo, self.home
        changed = {
            "Mode": "auto",
            "ExtraConfiguration": '"verify":false',
            "TargetRoles": ROLE,
            "EventSourceAccounts": OTHER_ACCOUNT,
        }
        home.update("ecr-promoter", changed, [*demo.parameters, *changed])
        self.report.line(
            "deploy", "stack ecr-promoter: TargetRoles, EventSourceAccounts", timed=True
        )
        role = {
            "PromoterRoleArn": demo.outputs["FunctionRoleArn"],
            "ExternalId": EXTERNAL_ID,
            "RepositoryArns": REPLICA,
        }
        for aws, parameters in (
            (self.us, role),
            (self.eu, {"CreateRole": "false"}),
            (self.replica, {"CreateRole": "false", "RepositoryArns": REPLICA}),
        ):
            stacks = f"arn:aws:cloudformation:*:{aws.account}:stack/{REPOSITORY}/*"
            # The template wants the name of a region: here are those of both.
            stacks = ",".join(stacks.replace("*", region, 1) for region in (REGION, OTHER_REGION))
            parameters = {**parameters, "StackArns": stacks, "HomeEventBusArn": HOME_BUS}
            aws.deploy(TARGET, template("examples/target-role.yaml"), parameters)
            what = "events" if "CreateRole" in parameters else "a role and events"
            self.deployed(aws, TARGET, f"examples/target-role.yaml, {what}")
        service_role = self.us.deploy("service-role", template("examples/service-role.yaml"), {})
        arn = self.us.outputs(service_role)["ServiceRoleArn"]
        for aws in (self.us, self.eu):
            subnets = [subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"]]
            parameters = {
                "AppName": REPOSITORY,
                "Registry": registry_in(aws.region),
                "ProductionTag": "production_initial",
                "Subnets": ",".join(subnets),
                "EnvironmentFileArn": "arn:aws:s3:::artifacts/web/production.env",
                "SessionKey": "what-signs-the-sessions-there",
            }
            body = template("examples/app-fargate.yaml")
            aws.deploy(REPOSITORY, body, parameters, RoleARN=arn)
            self.deployed(aws, REPOSITORY, f"pulls from {ACCOUNT} in {aws.region}")
        # No time to soak: the end of a stage leads to the next one at once.
        target = {"role": ROLE, "external_id": EXTERNAL_ID}
        self.configure("web-us", {"after": {"app": "web"}, "target": target})
        target = {**target, "region": OTHER_REGION, "registry": registry_in(OTHER_REGION)}
        self.configure("web-eu", {"after": {"app": "web-us"}, "mode": "auto", "target": target})
        demo.restart()
        scheduled: Json = json.loads((ROOT / "events" / "scheduled.json").read_text())
        scheduled.update(account=ACCOUNT, region=REGION)
        demo.deliver(scheduled)
        self.report.line("look", "the first one notes what runs, and promotes nothing", timed=True)

    def deployed(self, aws: Aws, name: str, what: str) -> None:
        """Says that a stack stands."""
        self.report.line(
            "deploy", f"stack {name} in {aws.account}, {aws.region}: {what}", timed=True
        )

    def configure(self, app: str, keys: Json) -> None:
        """Writes the configuration of a stage."""
        value = {"repository": REPOSITORY, "stack": REPOSITORY, "verify": False, **keys}
        name = f"/ecr-promoter/apps/{app}"
        self.home.ssm.put_parameter(Name=name, Type="String", Value=json.dumps(value))
        self.report.line("put", f"{name}: comes after {keys['after']['app']}")

    # Stages

    def first_stage(self) -> None:
        """A push deploys the first stage, and the second one asks."""
        demo, report = self.demo, self.report
        event = demo.push(3)
        demo.answered(event, "promoted")
        self.home.settled(REPOSITORY)
        self.expect("web", True)
        self.ends(self.home, "web")
        demo.told("approval_requested", app="web-us")
        self.expect("web-us", False)
        self.expect("web-eu", False)
        report.line("runs", f"production_{demo.commit[:7]}… in web alone")

    def second_stage(self) -> None:
        """An approval deploys the second stage, in the other account."""
        demo = self.demo
        words = f"approve web-us {demo.digest}"
        self.home.sns.publish(TopicArn=demo.outputs["ApprovalTopicArn"], Message=words)
        self.report.line("publish", words)
        until(lambda: self.runs("web-us"), f"`{words}` by SNS did not reach the other account")
        self.us.settled(REPOSITORY)
        self.promoted(self.us)
        sessions = self.home.cloud.sessions()
        wanted = {"role": ROLE, "session_name": "ecr-promoter"}
        who = {session.pop("source_identity") for session in sessions}
        check(all(session == wanted for session in sessions), f"other sessions: {sessions}")
        check(who == {"ecr-promoter", "sns"}, f"the role was assumed for {who}")
        check(len(sessions) == len(who) + 1, f"the role was assumed {len(sessions)} times")
        self.report.line("sessions", f"of {TARGET}: source identities {', '.join(sorted(who))}")
        self.ends(self.us, "web-us")

    def third_stage(self) -> None:
        """The third stage follows by itself, once its registry has the tag."""
        demo, tag = self.demo, f"production_{self.demo.commit}"
        answer = self.ask("reconcile", "web-eu")
        check(answer["outcome"] == "queued", f"web-eu does not wait: {answer}")
        check("waits for replication" in answer["reason"], f"web-eu waits otherwise: {answer}")
        self.expect("web-eu", False)
        self.report.line("queued", "web-eu: it waits for replication", timed=True)
        registry = self.replica.ecr
        registry.create_repository(repositoryName=REPOSITORY)
        digest, media_type = Image(registry, demo.commit).push(with_attestation=False)
        check(digest == demo.digest, "the replica is another image")
        registry.put_image(
            repositoryName=REPOSITORY,
            imageManifest=self.home.manifests()[digest],
            imageManifestMediaType=f"{OCI}manifest.v1+json",
            imageTag=tag,
        )
        self.report.line("replica", f"{tag[:18]}… is in {ACCOUNT}, {OTHER_REGION} now", timed=True)
        event = {**demo.event(tag, media_type), "region": OTHER_REGION}
        self.forwarded(event, self.replica, "ReplicaPushRule", "ReplicaPushRule")
        answer = demo.deliver(event)
        check(answer.get("outcome") == "promoted", f"web-eu is not promoted: {answer}")
        self.eu.settled(REPOSITORY)
        self.expect("web-eu", True)
        self.promoted(self.eu)
        self.ends(self.eu, "web-eu")

    # What happens, and what must be so

    def ends(self, aws: Aws, app: str) -> None:
        """Sends the event of the end of an app's update, as CloudFormation does."""
        stack = aws.stack(REPOSITORY)
        event: Json = json.loads((ROOT / "events" / "cfn-update-complete.json").read_text())
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event.update(account=aws.account, region=aws.region, time=now)
        event["resources"] = [stack["StackId"]]
        event["detail"]["stack-id"] = stack["StackId"]
        if aws is not self.home:
            self.forwarded(event, aws, "StackChangeRule", "EcrPromoterFunctionStackChange")
        answer = self.demo.deliver(event)
        outcome, closed = answer.get("outcome"), answer.get("closed") or []
        outcomes = [outcome, *(one.get("outcome") for one in closed)]
        check(
            answer.get("app") == app and "deployed" in outcomes,
            f"{app} is not deployed: {json.dumps(answer)}",
        )
        self.report.line("deployed", app, timed=True)

    def forwarded(self, event: Json, aws: Aws, there: str, here: str) -> None:
        """Checks that the rules of both templates let an event through."""
        for place, stack, name in ((aws, TARGET, there), (self.home, "ecr-promoter", here)):
            rule = place.resource(stack, "LogicalResourceId", name).split("|")[-1]
            pattern = place.events.describe_rule(Name=rule)["EventPattern"]
            answer = place.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
            check(answer["Result"], f"{name} of {stack} does not let the event through")

    def ask(self, action: str, app: str) -> Json:
        """Gives a command by direct invocation."""
        return self.demo.deliver({"action": action, "app": app})

    def place(self, app: str) -> Aws:
        """Where an app's stack is."""
        return {"web": self.home, "web-us": self.us, "web-eu": self.eu}[app]

    def runs(self, app: str) -> bool:
        """Whether the app's stack names the image that was pushed."""
        wanted = f"production_{self.demo.commit}"
        parameters = self.place(app).stack(REPOSITORY)["Parameters"]
        return any(parameter.get("ParameterValue") == wanted for parameter in parameters)

    def expect(self, app: str, runs: bool) -> None:
        """Checks whether an app runs the image."""
        check(self.runs(app) == runs, f"{app} runs the image: {not runs}")

    def promoted(self, aws: Aws) -> None:
        """Shows what the stack there runs, which must be the image from the registry nearby."""
        image: str = aws.running(REPOSITORY)["containerDefinitions"][0]["image"]
        wanted = f"{registry_in(aws.region)}/{REPOSITORY}:production_{self.demo.commit}"
        check(image == wanted, f"the stack in {aws.account}, {aws.region} runs {image}")
        self.report.line("promoted", f"{aws.account}, {aws.region}:", timed=True)
        self.report.line("after", image)


def registry_in(region: str) -> str:
    """The registry of ecr-promoter's account in a region."""
    return f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
