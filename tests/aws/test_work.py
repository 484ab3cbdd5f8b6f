"""The worker on SQS and S3: an emulator nobody here wrote, every request judged by AWS's own signer.

What a queue of messages leaves in the store must be what the same objects in a folder leave."""
import json
import signal
import sqlite3
import time
import unittest

from kit import (BUCKET, FORMS, KEY_ID, REGION, RUN_SECONDS_MAX, SECRET, Lake, record, records_form,
                 subscriber_form)

OBSERVED = """select e.uid, s.name, hex(o.ip), o.first_ms, o.last_ms, o.count, round(o.score, 6)
    from observation o join entity e on e.id = o.entity_id join spec s on s.id = o.spec_id"""


class WorkTest(Lake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_program("work", "--queue", "dir:lake", "--scorer", "model:m.model", "--once",
                        "--database", "sqlite:folder.db")
        cls.wanted = cls.observed("folder.db")
        assert len(cls.wanted) > 100

    @classmethod
    def observed(cls, name):
        with sqlite3.connect(cls.folder / name) as db:
            return sorted(db.execute(OBSERVED).fetchall())

    def work(self, name, queue, *more, **environment):
        return self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once",
                                "--database", f"sqlite:{name}.db", *more, **environment)

    def fill(self, queue):
        for place, (key, size, etag) in enumerate(self.objects):
            self.emulator.send(queue, FORMS[place % len(FORMS)](key, size, etag))

    def counted(self, name):
        with sqlite3.connect(self.folder / f"{name}.db") as db:
            return dict(db.execute("SELECT name, value FROM counter"))

    def assert_no_refusal(self):
        self.assertEqual(self.emulator.referee()["refused"], [])

    def test_every_form_leaves_what_a_folder_leaves(self):
        queue = self.emulator.queue("forms")
        self.fill(queue)
        self.emulator.send(queue, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
        self.emulator.send(queue, records_form("logs/not-of-the-lake.txt", 1, "0" * 32))
        self.emulator.send(queue, {"Records": [record(*self.objects[0]), record(*self.objects[1])]})
        out, _ = self.work("forms", queue)
        self.assertEqual(self.observed("forms.db"), self.wanted)
        self.assertIn("2 stored before", out)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))
        self.assert_no_refusal()

    def test_by_arn(self):
        queue = self.emulator.queue("by-arn")
        arn = self.emulator.sqs("GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.emulator.send(queue, subscriber_form(*self.objects[0]))
        self.run_program("work", "--queue", arn, "--scorer", "model:m.model", "--once", "--database", "sqlite:arn.db")
        self.assertEqual(self.emulator.waiting(queue), (0, 0))
        self.assertGreater(len(self.observed("arn.db")), 0)

    def test_poison_goes_to_the_dead_letters_and_harms_nobody(self):
        dead = self.emulator.queue("dead")
        arn = self.emulator.sqs("GetQueueAttributes", QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        queue = self.emulator.queue("poison", VisibilityTimeout="1",
                                    RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"}))
        key = self.objects[0][0].replace(".gz.parquet", "x.gz.parquet")
        broken = b"PAR1 and then nothing of the kind"
        poison = [
            "no json", "{}", "[]", json.dumps({"detail": {"bucket": {"name": "../x"}, "object": {"key": "aws/a.parquet"}}}),
            json.dumps(subscriber_form("aws/gone.gz.parquet", 5, "0" * 32)),
            json.dumps(subscriber_form(key, len(broken), self.emulator.put(key, broken))),
            json.dumps(records_form("aws/\x01.parquet", 5, "0" * 32)),
            json.dumps(subscriber_form("aws/" + "k" * 1021 + ".parquet", 5, "0" * 32)),
            json.dumps(subscriber_form(self.objects[0][0], self.objects[0][1], "f" * 32)),
        ]
        for message in poison:
            self.emulator.send(queue, message)
        self.fill(queue)
        _, err = self.work("poison", queue, status=1)
        self.assertIn("objects failed", err)
        time.sleep(1.5)
        self.work("poison", queue, status=None)
        time.sleep(1.5)
        self.emulator.sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)  # moves what is over its tries
        self.emulator.sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)
        self.assertEqual(self.observed("poison.db"), self.wanted)
        self.assertEqual(self.emulator.waiting(dead)[0], len(poison))
        self.assertEqual(self.emulator.waiting(queue), (0, 0))
        self.assertGreaterEqual(self.counted("poison")["poison"], 4)
        with sqlite3.connect(self.folder / "poison.db") as db:
            reasons = dict(db.execute("select key, error from object where error is not null"))
        self.assertIn("not there any more", reasons["aws/gone.gz.parquet"])
        self.assertIn(key, reasons)
        self.assertIn("replaced since", reasons[self.objects[0][0]])
        self.assert_no_refusal()

    def test_failing_gets_are_tried_again(self):
        queue = self.emulator.queue("failing")
        self.fill(queue)
        before = self.emulator.referee()["failed"]
        self.emulator.fail(0.1)
        try:
            self.work("failing", queue)
        finally:
            self.emulator.fail(0)
        self.assertGreater(self.emulator.referee()["failed"], before)
        self.assertEqual(self.observed("failing.db"), self.wanted)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))
        counted = self.counted("failing")
        self.assertGreater(sum(value for name, value in counted.items() if name.startswith("aws_retries|s3|")), 0)
        self.assertGreaterEqual(counted["aws_calls|sqs"], 1)
        self.assertEqual(counted["received"], len(self.objects))
        self.assertNotIn("poison", counted)

    def test_workers_killed_at_any_time_and_stopped_in_order(self):
        queue = self.emulator.queue("killed", VisibilityTimeout="2")
        self.fill(queue)
        arguments = ("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--database", "sqlite:killed.db")
        for pause in (0.05, 0.15, 0.3, 0.5):
            process = self.start(*arguments)
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=RUN_SECONDS_MAX)
        process = self.start(*arguments)
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, err)
        for _ in range(20):  # what a killed worker had in hand comes back when its time is over
            self.work("killed", queue)
            if self.emulator.waiting(queue) == (0, 0):
                break
            time.sleep(1)
        self.assertTrue(self.observed("killed.db") == self.wanted)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))

    def test_a_stop_ends_the_wait_and_gives_back(self):
        queue = self.emulator.queue("stopped")
        process = self.start("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model",
                             "--database", "sqlite:stopped.db")
        time.sleep(1)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, err)
        self.assertLess(time.monotonic() - began, 5)

    def test_what_cannot_work_says_why(self):
        queue = self.emulator.queue("why")
        _, err = self.run_program("work", "--queue", f"sqs:{queue}x", "--scorer", "model:m.model", "--once", status=1)
        self.assertRegex(err, "QueueDoesNotExist|NonExistentQueue")
        _, err = self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once", status=1,
                                  AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", HOME="/nonexistent")
        self.assertIn("no AWS credentials", err)
        _, err = self.run_program("work", "--queue", "sqs:http://127.0.0.1/0/why", "--scorer", "model:m.model", "--once",
                                  status=1, AWS_REGION="", HOME="/nonexistent")
        self.assertIn("AWS_REGION", err)
        _, err = self.run_program("work", "--queue", "sqs:nonsense", "--scorer", "model:m.model", "--once", status=1)
        self.assertIn("URL or its ARN", err)
        _, err = self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once", status=1,
                                  AWS_ENDPOINT_URL="http://127.0.0.1:1")
        self.assertNotIn(SECRET, err)

    def test_keys_of_a_profile_and_of_a_process(self):
        queue = self.emulator.queue("profile")
        self.emulator.send(queue, subscriber_form(*self.objects[0]))
        (self.folder / "credentials").write_text(
            f"# keys\n[other]\naws_access_key_id = WRONG\n\n[lake]\naws_access_key_id = {KEY_ID}\naws_secret_access_key={SECRET}\n")
        (self.folder / "config").write_text(
            "[default]\nregion = us-east-1\n[profile lake]\nregion = eu-west-1\ns3 =\n  max = 3\n"
            f"[profile made]\nregion = {REGION}\ncredential_process = echo '{{\"Version\": 1, \"AccessKeyId\": \"{KEY_ID}\","
            f" \"SecretAccessKey\": \"{SECRET}\"}}'\n[profile bad]\nregion = {REGION}\ncredential_process = exit 3\n")
        files = {"AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
                 "AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "",
                 "AWS_SECRET_ACCESS_KEY": ""}
        self.work("profile", queue, AWS_PROFILE="lake", **files)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))
        self.work("profile", queue, AWS_PROFILE="made", **files)
        for profile, reason in (("bad", "credential_process failed"), ("none", "no profile none")):
            _, err = self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once",
                                      status=1, AWS_PROFILE=profile, **(files | {"AWS_REGION": REGION}))
            self.assertIn(reason, err)
        self.assert_no_refusal()


if __name__ == "__main__":
    unittest.main()
