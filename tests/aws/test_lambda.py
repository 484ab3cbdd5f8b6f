"""`pairwatch lambda` behind a stand-in for Lambda's runtime API: events of SQS, partial failures, deadlines."""
import json
import os
import subprocess
import threading
import time
import unittest
import urllib.parse
import uuid
from contextlib import contextmanager
from pathlib import Path

from delivery import Serve, Trouble, held
from kit import BINARY, FORMS, NODE, ROOT, Lake, event_form, records_form, subscriber_form
from runtime_api import RuntimeApi, failed, sqs_event

WORKSHOP = Path(os.environ.get("PAIRWATCH_REFERENCE_DATA", ROOT.parent / "shared" / "data")) / "workshop"
POSTGRES = os.environ.get("TEST_POSTGRES")


class LambdaTest(Lake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.objects = cls.objects[:24]
        queue = cls.emulator.queue("lambda-direct")
        for thing in cls.objects:
            cls.emulator.send(queue, subscriber_form(*thing))
        cls.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once", "--database", "sqlite:direct.db")
        cls.wanted = held(cls.folder / "direct.db")

    def serve(self, name):
        server = Serve(self.folder, name)
        self.addCleanup(server.end)
        return server

    @contextmanager
    def function(self, status=0, **settings):
        environment = self.environment(**{"PAIRWATCH_SCORER": "model:m.model", **settings})
        api = RuntimeApi([BINARY, "lambda"], self.folder, {k: v for k, v in environment.items() if v is not None})
        try:
            yield api
        finally:
            got = api.end()
        self.assertEqual(api.faults, [])
        self.assertEqual(got, status, api.log)

    def posting(self, server, **settings):
        return self.function(PAIRWATCH_POST=server.url, PAIRWATCH_TOKEN=settings.pop("token", None) or server.token, **settings)

    def assert_held(self, server):
        got = held(server.path)
        self.assertLessEqual(set(got.pop("thresholds")), set(self.wanted["thresholds"]))  # of specs that had rows
        for name, rows in got.items():
            self.assertTrue(rows == self.wanted[name], name)

    def bodies(self):
        return [json.dumps(FORMS[place % len(FORMS)](*thing)) for place, thing in enumerate(self.objects)]

    def test_events_of_sqs_leave_what_a_worker_leaves(self):
        server, bodies = self.serve("events.db"), self.bodies()
        with self.posting(server) as api:
            for first in range(0, len(bodies), 10):
                self.assertEqual(failed(api.invoke(sqs_event(*bodies[first:first + 10]))), [])
            self.assertEqual(failed(api.invoke(sqs_event(*bodies))), [])  # all of it again
            self.assertEqual(failed(api.invoke(sqs_event(json.dumps({"Event": "s3:TestEvent"}),
                                                         json.dumps(records_form("logs/x.txt", 1, "0" * 32))))), [])
        self.assertNotIn(server.token, api.log)
        self.assert_held(server)
        self.assertEqual(self.emulator.referee()["refused"], [])

    def test_bodies_that_are_objects(self):
        server = self.serve("bodies.db")
        with self.posting(server) as api:
            answer = api.invoke(sqs_event(*(FORMS[place % len(FORMS)](*thing) for place, thing in enumerate(self.objects))))
            self.assertEqual(failed(answer), [])
        self.assert_held(server)

    @unittest.skipUnless(WORKSHOP.exists(), "the workshop's files are not here")
    def test_the_files_of_the_workshop(self):
        server = self.serve("workshop.db")
        event = json.loads((WORKSHOP / "test-securitylake-sqs-message.json").read_text())
        other = json.loads((WORKSHOP / "test-lambda-message.json").read_text())
        s3 = event["Records"][0]["body"]["Records"][0]["s3"]
        bucket, key = s3["bucket"]["name"], s3["object"]["key"]
        ids = [event["Records"][0]["messageId"], other["Records"][0]["messageId"]]
        self.emulator.make_bucket(bucket)
        with self.posting(server, AWS_REGION="us-east-1") as api:
            answer = api.invoke({"Records": event["Records"] + other["Records"]})  # its object is not there, the other is no notice
            self.assertEqual([item["itemIdentifier"] for item in answer.value["batchItemFailures"]], ids)
            body = (self.folder / "lake" / self.objects[0][0]).read_bytes()
            url = f"{self.emulator.s3_url}/{bucket}/{urllib.parse.quote(key)}"
            _, headers = self.emulator.ask(url, "PUT", body, {"Content-Type": "application/octet-stream"})
            s3["object"]["eTag"], s3["object"]["size"] = headers["ETag"].strip('"'), str(len(body))
            self.assertEqual(api.invoke(event).value, {"batchItemFailures": []})
            for each in event["Records"] + other["Records"]:  # as SQS has them: a text
                each["body"] = json.dumps(each["body"], indent=2)
            answer = api.invoke({"Records": event["Records"] + other["Records"]})
            self.assertEqual([item["itemIdentifier"] for item in answer.value["batchItemFailures"]], ids[1:])
            self.assertRegex(api.log, r'msg="batch" received=1 stored=0 failed=0 repeated=1 ')
        as_text = self.serve("workshop-text.db")  # and first of all
        with self.posting(as_text, AWS_REGION="us-east-1") as api:
            self.assertEqual(api.invoke(event).value, {"batchItemFailures": []})
        self.assertEqual(held(as_text.path)["observations"], held(server.path)["observations"])
        got = held(server.path)
        self.assertEqual([(row[1], row[8] is None) for row in got["objects"]].count((key, True)), 1)
        self.assertEqual(len(got["observations"]), len([row for row in self.wanted["observations"] if row[4] == self.objects[0][0]]))

    def test_poison_among_good_ones(self):
        server = self.serve("poison.db")
        broken = self.objects[0][0].replace(".gz.parquet", "y.gz.parquet")
        etag = self.emulator.put(broken, b"PAR1 and then nothing of the kind")
        poison = ["no json", "{}", json.dumps({"detail": {"bucket": {"name": "../x"}, "object": {"key": "aws/a.parquet"}}}),
                  json.dumps(subscriber_form("aws/gone.gz.parquet", 5, "0" * 32)), json.dumps(subscriber_form(broken, 33, etag))]
        bodies = [body for pair in zip(self.bodies(), poison) for body in pair] + self.bodies()[len(poison):]
        event = sqs_event(*bodies)
        event["Records"][0]["md5OfBody"] = "0" * 32  # as of an event that somebody made
        with self.posting(server) as api:
            answer = api.invoke(event)
            self.assertEqual(failed(answer), [1, 3, 5, 7, 9])
            self.assertEqual(failed(api.invoke(sqs_event(bodies[0]))), [])
        got = held(server.path)
        self.assertEqual(got["observations"], self.wanted["observations"])
        self.assertEqual({row[1] for row in got["objects"] if row[8]}, {"aws/gone.gz.parquet", broken})

    def test_what_does_not_end_in_time_is_returned_in_time(self):
        server, bodies = self.serve("late.db"), self.bodies()
        self.emulator.set(rules=[{"operation": "S3.GET", "path": "eventDay", "after": 3, "times": 2, "hang": True}])
        self.addCleanup(self.emulator.set, rules=[])
        with self.posting(server, PAIRWATCH_THREADS="2") as api:
            answer = api.invoke(sqs_event(*bodies[:10]), seconds=6)
            self.assertLess(answer.took, 6)
            late = failed(answer)
            self.assertGreater(len(late), 1)
            self.assertLess(len(late), 8)
            self.assertEqual(failed(api.invoke(sqs_event(*(bodies[place] for place in late)))), [])
            self.assertEqual(failed(api.invoke(sqs_event(*bodies[10:]))), [])
        self.assertEqual(held(server.path)["observations"], self.wanted["observations"])

    def test_a_server_that_is_slow_or_gone(self):
        server, bodies = self.serve("slow.db"), self.bodies()
        gate = threading.Event()
        self.addCleanup(gate.set)
        with Trouble(lambda: server.port, lambda n: (lambda _: gate.wait(30) and None) if n == 4 else "lost" if n == 6 else None) as way:
            with self.function(PAIRWATCH_POST=way.url, PAIRWATCH_TOKEN=server.token, PAIRWATCH_THREADS="1") as api:
                answer = api.invoke(sqs_event(*bodies[:8]), seconds=6)
                self.assertLess(answer.took, 6)
                self.assertEqual(failed(answer), [3, 4, 5, 6, 7])
                gate.set()
                self.assertEqual(failed(api.invoke(sqs_event(*bodies[3:]))), [])
        self.assertEqual(held(server.path)["observations"], self.wanted["observations"])

    def test_a_notice_without_a_queue(self):
        server = self.serve("whole.db")
        with self.posting(server) as api:
            for form, thing in zip((event_form, records_form), self.objects):
                self.assertEqual(api.invoke(form(*thing)).kind, "response")
            answer = api.invoke(subscriber_form("aws/gone.gz.parquet", 5, "0" * 32))
            self.assertEqual((answer.kind, answer.value["errorType"]), ("error", "Pairwatch.NotStored"))
            for event in ({"key1": "value1"}, [], "text", None, {"Records": [{"messageId": "", "body": ""}]}):
                answer = api.invoke(event)
                self.assertEqual((answer.kind, answer.value["errorType"]), ("error", "Pairwatch.NoNotice"))
        self.assertEqual(len([row for row in held(server.path)["objects"] if row[8] is None]), 2)

    def test_what_keeps_it_from_starting_is_told(self):
        for settings, reason in (({"PAIRWATCH_SCORER": "model:none.model"}, "none.model"),
                                 ({"PAIRWATCH_POST": "http://example.com"}, "unencrypted"),
                                 ({"PAIRWATCH_POST": None}, "keeps no files"),
                                 ({"PAIRWATCH_POST": None, "PAIRWATCH_DATABASE": "sqlite:x.db"}, "keeps no files"),
                                 ({"PAIRWATCH_NONSENSE": "1"}, "nonsense")):
            with self.subTest(settings=settings):
                settings = {"PAIRWATCH_POST": "https://localhost:1", "PAIRWATCH_TOKEN": "pw_x", **settings}
                environment = self.environment(**{"PAIRWATCH_SCORER": "model:m.model", **settings})
                api = RuntimeApi([BINARY, "lambda"], self.folder, {k: v for k, v in environment.items() if v is not None})
                api.process.wait(20)
                self.assertIn(api.end(), (1, 2))
                self.assertIn(reason, api.init_error["errorMessage"].lower())
                self.assertEqual((api.init_error["errorType"], api.faults), ("Pairwatch.NotStarted", []))

    def test_a_refused_token_returns_the_messages_and_ends_the_process(self):
        server = self.serve("refused.db")
        with self.posting(server, status=1, token="pw_unknown") as api:
            self.assertEqual(failed(api.invoke(sqs_event(*self.bodies()[:6]))), [0, 1, 2, 3, 4, 5])
            api.process.wait(20)
        self.assertEqual(held(server.path)["objects"], [])

    def test_a_stop_ends_it_idle_or_at_work(self):
        server = self.serve("stopped.db")
        with self.posting(server) as api:
            api.invoke(sqs_event(self.bodies()[0]))
            time.sleep(0.3)
            began = time.monotonic()
        self.assertLess(time.monotonic() - began, 5)
        self.emulator.set(rules=[{"operation": "S3.GET", "path": "eventDay", "hang": True}])
        self.addCleanup(self.emulator.set, rules=[])
        with self.posting(server) as api:
            threading.Timer(1, api.process.terminate).start()
            self.assertEqual(len(failed(api.invoke(sqs_event(*self.bodies()[:5])))), 5)
            api.process.wait(20)

    @contextmanager
    def schema(self):
        """A schema of PostgreSQL as a database of its own."""
        name = "lambda_" + uuid.uuid4().hex[:8]
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", POSTGRES, "-c", f"CREATE SCHEMA {name}"], check=True, timeout=60)
        yield f"{POSTGRES}?options=-csearch_path%3D{name}"

    def asked(self, url, sql):
        return subprocess.run(["psql", "-qXAt", url, "-c", sql], check=True, timeout=60, capture_output=True, text=True).stdout.strip()

    @unittest.skipUnless(POSTGRES, "runs under tests/postgres")
    def test_into_postgresql(self):
        with self.schema() as url:
            with self.function(PAIRWATCH_DATABASE=url) as api:
                self.assertEqual(failed(api.invoke(sqs_event(*self.bodies()))), [])
            rows = self.wanted["observations"]
            self.assertEqual(self.asked(url, "SELECT COUNT(*), SUM(count) FROM observation"),
                             f"{len(rows)}|{sum(row[-4] for row in rows)}")

    @unittest.skipUnless(POSTGRES, "runs under tests/postgres")
    def test_scored_by_an_endpoint_as_the_workshop_does(self):
        entities = sorted({row[0] for row in self.wanted["observations"]})
        specs = [word for spec in sorted({row[1] for row in self.wanted["observations"]}) for word in ("--spec", spec)]
        pairs = (f"{entity},10.{place}.{n}.7\n" for place, entity in enumerate(entities) for n in range(200))
        (self.folder / "endpoint.csv").write_text("".join(pairs))
        self.run_program("train", "--detector", "ip_insights", "--out", "endpoint.model", "endpoint.csv")
        container = self.start("serve", "--sagemaker", "--model", "endpoint.model", "--listen", "127.0.0.1:0")
        self.addCleanup(container.communicate)
        self.addCleanup(container.terminate)
        port = container.stdout.readline().strip().rsplit(":", 1)[1]
        runtime = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "endpoint.mjs", port], stdout=subprocess.PIPE, text=True)
        self.addCleanup(runtime.communicate)
        self.addCleanup(runtime.terminate)
        endpoint = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": json.loads(runtime.stdout.readline())["url"]}
        with self.schema() as url:
            self.run_program("migrate", "--database", url)
            self.run_program("model", "calibrate", "sagemaker:ip-insights", "endpoint.csv", *specs, "--database", url, **endpoint)
            with self.function(PAIRWATCH_DATABASE=url, PAIRWATCH_SCORER="sagemaker:ip-insights", **endpoint) as api:
                self.assertEqual(failed(api.invoke(sqs_event(*self.bodies()))), [])
            rows = self.wanted["observations"]
            self.assertEqual(self.asked(url, "SELECT COUNT(*), SUM(count) FROM observation"),
                             f"{len(rows)}|{sum(row[-4] for row in rows)}")
            self.assertEqual(self.asked(url, "SELECT DISTINCT detector FROM model WHERE last_used_ms IS NOT NULL"), "sagemaker")


@unittest.skipUnless(BINARY.parent.name == "release", "the archive is of the release build")
class ArchiveTest(Lake):
    """`make lambda`: what is packed runs by itself."""

    def build(self, model, status=0):
        done = subprocess.run([ROOT / "deploy" / "lambda" / "build", model], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_the_archive_brings_all_it_needs(self):
        done = self.build(self.folder / "m.model")
        archive = ROOT / done.stdout.splitlines()[0]
        root = self.folder / "task"
        subprocess.run(["unzip", "-q", archive, "-d", root], check=True, timeout=60)
        for name in ("./pairwatch", "lib/libduckdb.so"):
            listed = subprocess.run(["lib/ld.so", "--inhibit-cache", "--library-path", "lib", "--list", name], cwd=root,
                                    check=True, capture_output=True, text=True, timeout=60).stdout
            found = [line.split("=>")[1].split()[0] for line in listed.splitlines() if "=>" in line]
            self.assertGreater(len(found), 5)
            self.assertEqual([path for path in found if not path.startswith("lib/")], [])
        server = Serve(self.folder, "archive.db")
        self.addCleanup(server.end)
        environment = self.environment(PAIRWATCH_POST=server.url, PAIRWATCH_TOKEN=server.token, LAMBDA_TASK_ROOT=str(root))
        api = RuntimeApi([root / "bootstrap"], "/", environment)
        try:
            answer = api.invoke(sqs_event(json.dumps(subscriber_form(*self.objects[0]))))
            maps = Path(f"/proc/{api.process.pid}/maps").read_text()
        finally:
            status = api.end()
        self.assertEqual((failed(answer), status, api.faults), ([], 0, []))
        self.assertEqual({line.split()[-1] for line in maps.splitlines() if ".so" in line and str(root) not in line}, set())
        self.assertGreater(len(held(server.path)["observations"]), 0)

    def test_an_archive_that_lambda_would_not_take_is_told(self):
        (self.folder / "large.model").write_bytes(os.urandom(30 << 20))
        self.assertIn("packed are more than a direct upload takes", self.build(self.folder / "large.model", 1).stderr)


if __name__ == "__main__":
    unittest.main()
