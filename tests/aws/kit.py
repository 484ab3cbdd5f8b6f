"""An emulator of SQS and S3 behind a referee of signatures, filled with a simulated lake."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BINARY = Path(os.environ.get("PAIRWATCH_BINARY", ROOT / "build" / "release" / "pairwatch")).resolve()
NODE = next((ROOT / "tests" / "node_modules").glob("node-linux-*/bin/node"))
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION, BUCKET = "eu-west-1", "aws-security-data-lake-eu-west-1-example"
RUN_SECONDS_MAX = 120


class Service:
    """One emulator in a process of its own, which may be killed and comes back with what it knew."""

    def __init__(self, kind, folder=""):
        self.kind, self.folder, self.port = kind, str(folder), 0
        self.start()

    def start(self):
        self.process = subprocess.Popen([NODE, "--no-warnings", HERE / "services.mjs", self.kind, str(self.port), self.folder],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, f"{self.kind} did not start"
        self.port = int(line)

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


class Emulator:
    """The referee, in front of emulators in its own process or of the ports given for "sqs" and "s3"."""

    def __init__(self, ports=None, seed=1):
        self.process = subprocess.Popen([NODE, "--no-warnings", HERE / "emulator.mjs"], stdout=subprocess.PIPE,
                                        text=True, env=os.environ | {"EMULATOR_SEED": str(seed)} |
                                        ({"EMULATOR_PORTS": json.dumps(ports)} if ports else {}))
        addresses = json.loads(self.process.stdout.readline())
        self.sqs_url, self.s3_url, self.url = addresses["sqs"], addresses["s3"], addresses["referee"]

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def ask(self, url, method, body=b"", headers=None):
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read(), reply.headers

    def sqs(self, operation, **body):
        scope = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/{REGION}/sqs/aws4_request, SignedHeaders=host, Signature=0"
        reply, _ = self.ask(self.sqs_url + "/", "POST", json.dumps(body).encode(), {
            "X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0",
            "Authorization": scope})
        return json.loads(reply) if reply else {}

    def make_bucket(self, bucket=None):
        self.ask(f"{self.s3_url}/{bucket or BUCKET}", "PUT")

    def put(self, key, body):
        url = f"{self.s3_url}/{BUCKET}/{urllib.parse.quote(key)}"
        _, headers = self.ask(url, "PUT", body, {"Content-Type": "application/octet-stream"})
        return headers["ETag"].strip('"')

    def referee(self):
        return json.loads(self.ask(self.url + "/referee", "GET")[0])

    def set(self, **settings):
        """s3_failures, clock_s, rules: see emulator.mjs."""
        self.ask(self.url + "/referee", "POST", json.dumps(settings).encode())

    def fail(self, part):
        self.set(s3_failures=part)

    def queue(self, name, **attributes):
        return self.sqs("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]

    def queue_with_dead_letters(self, name, receives, **attributes):
        dead = self.queue(f"{name}-dead")
        arn = self.sqs("GetQueueAttributes", QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(receives)})
        return self.queue(name, RedrivePolicy=policy, **attributes), dead

    def send(self, url, message):
        body = message if isinstance(message, str) else json.dumps(message)
        self.sqs("SendMessage", QueueUrl=url, MessageBody=body)

    def waiting(self, url):
        told = self.sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(told["ApproximateNumberOfMessages"]), int(told["ApproximateNumberOfMessagesNotVisible"])


def subscriber_form(key, size, etag):
    return {"source": "aws.s3", "time": "2026-11-24T00:00:00Z", "account": "123456789012", "region": REGION,
            "resources": [f"arn:aws:s3:::{BUCKET}"],
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": size, "etag": etag},
                       "request-id": "1", "requester": "securitylake.amazonaws.com"}}


def event_form(key, size, etag):
    return subscriber_form(key, size, etag) | {"version": "0", "id": "1", "detail-type": "Object Created"}


def record(key, size, etag):
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION, "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET},
                   "object": {"key": urllib.parse.quote_plus(key), "size": str(size), "eTag": etag}}}


def records_form(key, size, etag):
    return {"Records": [record(key, size, etag)]}


def sns_form(key, size, etag):
    return {"Type": "Notification", "Message": json.dumps(records_form(key, size, etag))}


FORMS = (subscriber_form, event_form, records_form, sns_form)


class Lake(unittest.TestCase):
    """A simulated lake in S3, a model of it, and a way to run the program there."""
    DAYS = 4  # 16 objects each

    @classmethod
    def make_emulator(cls):
        return Emulator()

    @classmethod
    def setUpClass(cls):
        cls.folder = temp_folder("aws")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.emulator = cls.make_emulator()
        cls.addClassCleanup(cls.emulator.close)
        cls.run_program("simulate", "--entities", "40", "--days", str(cls.DAYS), "--seed", "5", "--out", "lake")
        cls.run_program("train", "--out", "m.model", "lake")
        cls.emulator.make_bucket()
        cls.objects = []
        for path in sorted((cls.folder / "lake").rglob("*.parquet")):
            key, body = str(path.relative_to(cls.folder / "lake")), path.read_bytes()
            cls.objects.append((key, len(body), cls.emulator.put(key, body)))
        assert len(cls.objects) > 8

    @classmethod
    def environment(cls, **more):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return own | {"AWS_ENDPOINT_URL": cls.emulator.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID,
                      "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"} | more

    @classmethod
    def start(cls, *arguments, output=subprocess.PIPE, **more):
        return subprocess.Popen([BINARY, *arguments], cwd=cls.folder, env=cls.environment(**more), text=True,
                                stdout=output, stderr=output)

    @classmethod
    def run_program(cls, *arguments, status=0, **more):
        process = cls.start(*arguments, **more)
        try:
            out, err = process.communicate(timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert status in (None, process.returncode), f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    def fill(self, queue, objects=None):
        """Announces them, in all forms by turns."""
        for place, each in enumerate(objects or self.objects):
            self.emulator.send(queue, FORMS[place % len(FORMS)](*each))

    def reasons(self, name):
        """Of objects that failed, by key."""
        with sqlite3.connect(self.folder / name) as db:
            return dict(db.execute("select key, error from object where error is not null"))
