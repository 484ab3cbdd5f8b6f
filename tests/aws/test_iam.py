"""The permissions that the templates give, against the calls that a worker and a function were seen to make."""
import json
import signal
import time
import unittest

import yaml

from delivery import Serve
from kit import BINARY, ROOT, Lake, subscriber_form
from runtime_api import RuntimeApi, failed, sqs_event

ACTIONS = {"AmazonSQS.DeleteMessageBatch": "sqs:DeleteMessage", "AmazonSQS.ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
           "S3.GET": "s3:GetObject"}
# For what an emulator has no keys of, and for the scorer and the account of another.
BESIDE = {"kms:Decrypt", "sagemaker:InvokeEndpoint", "sts:AssumeRole"}


class Template(yaml.SafeLoader):
    """Tags of CloudFormation as values."""


def tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    return {suffix: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", tagged)


def actions(name, role):
    template = yaml.load((ROOT / "deploy" / name / "template.yaml").read_text(), Template)
    (policy,) = template["Resources"][role]["Properties"]["Policies"]
    out = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        statement = statement["If"][1] if "If" in statement else statement
        out |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
    return out


class IamTest(Lake):
    def seen(self):
        names = self.emulator.referee()["operations"]
        return {ACTIONS.get(name, name.replace("AmazonSQS.", "sqs:")) for name in names}

    def test_what_a_function_and_a_worker_ask_for_is_what_they_may(self):
        server = Serve(self.folder, "iam.db")
        self.addCleanup(server.end)
        environment = self.environment(PAIRWATCH_SCORER="model:m.model", PAIRWATCH_POST=server.url, PAIRWATCH_TOKEN=server.token)
        api = RuntimeApi([BINARY, "lambda"], self.folder, environment)
        self.assertEqual(failed(api.invoke(sqs_event(json.dumps(subscriber_form(*self.objects[0]))))), [])
        self.assertEqual(api.end(), 0)
        by_lambda = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
        given = {action for action in actions("sam", "FunctionRole") if action.split(":")[0] not in ("logs", "ec2")}
        self.assertEqual(self.seen() | by_lambda | BESIDE, given)

        queue = self.emulator.queue("iam", VisibilityTimeout="2")
        arn = self.emulator.sqs("GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for thing in self.objects:
            self.emulator.send(queue, subscriber_form(*thing))
        process = self.start("work", "--queue", arn, "--scorer", "model:m.model", "--post", server.url, "--threads", "1",
                             PAIRWATCH_TOKEN=server.token)
        self.addCleanup(process.communicate)
        wanted = actions("ecs", "WorkerRole")
        deadline = time.monotonic() + 60
        while self.seen() | BESIDE < wanted and time.monotonic() < deadline:
            time.sleep(0.2)
            if self.emulator.waiting(queue)[0] == 0 and process.poll() is None:
                process.send_signal(signal.SIGTERM)  # what is in hand is given back
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        self.assertEqual(self.seen() | BESIDE, wanted)


if __name__ == "__main__":
    unittest.main()
