"""What becomes of messages, once each: hidden while work lasts, deleted in the end, given back on a stop; a queue that
is strict, one that vanishes, and what nobody can serve."""
import gzip
import json
import signal
import subprocess
import time
import unittest

from faults import FEW, MEBIBYTE, Faults
from kit import BUCKET, NODE, ROOT, RUN_SECONDS_MAX, Emulator, Service, subscriber_form


class MessagesTest(Faults):
    def test_messages_stay_hidden_while_work_lasts(self):
        queue = self.emulator.queue(self.name, VisibilityTimeout="2")
        self.fill(queue, self.few[:1])
        self.set({"operation": "S3.GET", "times": 1, "delay_ms": 7000})
        process = self.start(*self.arguments(queue, self.name, "--once"))
        for _ in range(6):
            time.sleep(1)
            self.assertEqual(self.emulator.waiting(queue), (0, 1))
        _, err = process.communicate(timeout=RUN_SECONDS_MAX)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))

    def test_a_deletion_that_fails_is_repeated(self):
        failed = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}], "Successful": []}
        queue = self.queue()
        self.set({"operation": "AmazonSQS.DeleteMessageBatch", "times": 2, "status": 200, "body": json.dumps(failed)},
                 {"operation": "AmazonSQS.DeleteMessageBatch", "times": 1, "close": True})
        process = self.start(*self.arguments(queue, self.name))
        self.until(lambda: self.emulator.waiting(queue) == (0, 0))
        process.terminate()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)
        self.assert_all_stored(queue)

    def test_a_queue_with_stricter_errors(self):
        strict, s3 = Service("local-aws-sqs"), Service("fauxqs", self.folder / "strict")
        self.addCleanup(strict.kill)
        self.addCleanup(s3.kill)
        other = Emulator({"sqs": strict.port, "s3": s3.port})
        self.addCleanup(other.close)
        other.make_bucket()
        for key, _, _ in self.few:
            other.put(key, (self.folder / "lake" / key).read_bytes())
        queue, dead = other.queue_with_dead_letters(self.name, 2, VisibilityTimeout="1")
        for each in self.few:
            other.send(queue, subscriber_form(*each))
        other.send(queue, "poison")
        for _ in range(3):
            self.work(queue, AWS_ENDPOINT_URL=other.url)
            time.sleep(1.2)
        self.assertEqual(self.observed(self.name), self.wanted)
        self.assertEqual(other.waiting(queue), (0, 0))
        self.assertEqual(other.waiting(dead), (1, 0))
        self.assertEqual(other.referee()["refused"], [])

    def test_a_queue_that_vanishes_and_comes_back(self):
        queue = self.queue()
        with open(self.folder / "vanished.log", "w") as log:
            process = self.start(*self.arguments(queue, self.name), output=log)
        self.until(lambda: self.emulator.waiting(queue) == (0, 0))
        self.emulator.sqs("DeleteQueue", QueueUrl=queue)
        self.until(lambda: "receiving from the queue" in (self.folder / "vanished.log").read_text(), 40)
        self.assertIsNone(process.poll())
        self.assertEqual(self.emulator.queue(self.name), queue)
        self.fill(queue, self.few)
        self.until(lambda: self.emulator.waiting(queue) == (0, 0))
        process.terminate()
        self.assertEqual(process.wait(20), 0)
        self.assert_all_stored(queue)

    def test_a_stop_in_the_middle_finishes_or_releases(self):
        queue = self.queue(VisibilityTimeout="60")
        slow = [key.rsplit("/", 1)[1] for key, _, _ in self.few[3:]]
        self.set({"operation": "S3.GET", "path": "|".join(slow), "delay_ms": 60000})
        process = self.start(*self.arguments(queue, self.name, "--threads", "1"))
        self.until(lambda: self.emulator.waiting(queue)[1] == FEW - 3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, err)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.emulator.waiting(queue), (FEW - 3, 0))
        self.assertEqual(self.reasons(f"{self.name}.db"), {})
        self.set()
        self.work(queue)
        self.assert_all_stored(queue)

    def other_schema(self):
        columns = [{"name": "schema", "num_children": 1}, {"name": "a", "type": "INT32", "repetition_type": "OPTIONAL"}]
        told = [{"name": "other.parquet", "codec": "SNAPPY", "schema": columns, "columns": {"a": [1, 2, 3]}}]
        subprocess.run([NODE, ROOT / "tests" / "lake" / "write.mjs", self.folder], input=json.dumps(told), text=True, check=True)
        return (self.folder / "other.parquet").read_bytes()

    def hostile(self):
        """Messages that nobody can serve, and for those that name an object a part of its reason."""
        form = subscriber_form
        bomb = b"{\"class_uid\": 4001, \"x\": \"" + b"0" * (300 * MEBIBYTE)
        put = self.emulator.put
        notices = ["", "no json", "[]", "{}", "null", '{"Records": 1}', '{"Records": [{}]}', "[" * 5000,
                   json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}] * 101}),
                   json.dumps(form("aws/a\u0000b.parquet", 1, "0" * 32)),
                   '{"source":"aws.s3","detail":{"bucket":{"name":"%s"},"object":{"key":"aws/\\ud800.parquet","size":1}}}' % BUCKET,
                   json.dumps(form("aws/" + "k" * 1021 + ".parquet", 1, "0" * 32)),
                   json.dumps(form("aws/x.parquet", -1, "0" * 32)), json.dumps(form("aws/x.parquet", 1, "not an etag"))]
        objects = {
            "aws/../../etc/passwd.parquet": ("not there any more", 1, "0" * 32),
            "aws/" + "k" * (1024 - 4 - 8) + ".parquet": ("not there any more", 1, "0" * 32),
            "aws/VPC_FLOW/2.0/bomb.json.gz": ("", None, gzip.compress(bomb)),
            "aws/VPC_FLOW/2.0/zeros.gz.parquet": ("not readable", None, b"PAR1" + b"\0" * 5000 + b"PAR1"),
            "aws/VPC_FLOW/2.0/empty.gz.parquet": ("", None, b""),
            "aws/VPC_FLOW/2.0/other.gz.parquet": ("class_uid", None, self.other_schema()),
        }
        for key, (reason, size, body) in objects.items():
            etag = body if size else put(key, body)
            yield json.dumps(form(key, size or len(body), etag)), key, reason
        for notice in notices:
            if notice:
                yield notice, None, None

    def test_nothing_hostile_harms_the_rest(self):
        queue, dead = self.emulator.queue_with_dead_letters(self.name, 2, VisibilityTimeout="2")
        hostile = list(self.hostile())
        for message, _, _ in hostile:
            self.emulator.send(queue, message)
        self.fill(queue, self.few)
        for _ in range(3):
            self.work(queue, status=None)
            time.sleep(2.1)
        self.assertEqual(self.emulator.waiting(dead), (len(hostile), 0))
        self.assert_all_stored(queue)
        reasons = self.reasons(f"{self.name}.db")
        self.assertEqual(set(reasons), {key for _, key, _ in hostile if key})
        for _, key, reason in hostile:
            if key:
                self.assertIn(reason, reasons[key])
        self.assertTrue(all(reasons.values()))


if __name__ == "__main__":
    unittest.main()
