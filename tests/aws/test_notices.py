"""Notices over HTTP: taken in by `serve`, read from S3 by `work --queue store`; failed objects tried again."""
import json
import re
import signal
import sqlite3
import time
import unittest
import urllib.request

from kit import FORMS, RUN_SECONDS_MAX, Lake, subscriber_form
from test_work import OBSERVED


class Notices(Lake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_program("work", "--queue", "dir:lake", "--scorer", "model:m.model", "--once",
                        "--database", "sqlite:folder.db")
        cls.wanted = cls.observed("folder.db")

    @classmethod
    def observed(cls, name):
        with sqlite3.connect(cls.folder / name) as db:
            return sorted(db.execute(OBSERVED).fetchall())

    def serve(self, name):
        database = f"sqlite:{name}.db"
        out, _ = self.run_program("token", "create", "lake", "--role", "notify", "--database", database)
        self.token = out.strip()
        out, _ = self.run_program("token", "create", "ops", "--role", "triage", "--database", database)
        self.ops = out.strip()
        process = self.start("serve", "--listen", "127.0.0.1:0", "--database", database)
        self.addCleanup(process.communicate)
        self.addCleanup(process.send_signal, signal.SIGTERM)
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())):
            self.assertIsNone(process.poll())
        self.url = found.group(0)

    def call(self, method, path, value=None, token=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if value is None else json.dumps(value).encode(),
            headers={"X-Api-Key": token or self.ops, "Content-Type": "application/json; charset=utf-8"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def post(self, value):
        return self.call("POST", "/api/v1/notices", value, self.token)

    def work(self, name, *more, **how):
        return self.run_program("work", "--queue", "store", "--scorer", "model:m.model", "--once",
                                "--database", f"sqlite:{name}.db", *more, **how)

    def fill(self):
        for place, (key, size, etag) in enumerate(self.objects):
            self.assertEqual(self.post(FORMS[place % len(FORMS)](key, size, etag))["queued"], 1)

    def sql(self, name, statement):
        with sqlite3.connect(self.folder / f"{name}.db") as db:
            return db.execute(statement).fetchall()

    def test_what_was_posted_is_read_once(self):
        self.serve("posted")
        self.fill()
        out, _ = self.work("posted")
        self.assertEqual(self.observed("posted.db"), self.wanted)
        self.assertEqual(self.call("GET", "/api/v1/notices")["notices"], [])
        self.assertEqual(self.post(subscriber_form(*self.objects[0]))["stored"], 1)
        ledger = {o["key"]: o for o in self.call("GET", "/api/v1/objects?limit=500")["objects"]}
        self.assertEqual(ledger[self.objects[0][0]]["made"], "2026-11-24T00:00:00.000Z")
        self.assertEqual(self.emulator.referee()["refused"], [])

    def test_workers_killed_at_any_time_lose_nothing(self):
        self.serve("killed")
        self.fill()
        for pause in (0.05, 0.15, 0.3):
            process = self.start("work", "--queue", "store", "--scorer", "model:m.model", "--database",
                                 "sqlite:killed.db")
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=RUN_SECONDS_MAX)
        self.sql("killed", "UPDATE notice SET ready_ms = 1 WHERE state = 1")  # as if their leases had run out
        workers = [self.start("work", "--queue", "store", "--scorer", "model:m.model", "--once", "--database",
                              "sqlite:killed.db") for _ in range(2)]
        for worker in workers:
            _, err = worker.communicate(timeout=RUN_SECONDS_MAX)
            self.assertEqual(worker.returncode, 0, err)
        self.assertEqual(self.observed("killed.db"), self.wanted)
        self.assertEqual(self.sql("killed", "SELECT COUNT(*) FROM notice"), [(0,)])

    def test_what_fails_is_kept_and_can_be_tried_again(self):
        self.serve("dead")
        key, size, etag = self.objects[0]
        gone = key.replace(".gz.parquet", "gone.gz.parquet")
        self.post(subscriber_form(gone, size, etag))
        self.post(subscriber_form(*self.objects[1]))
        for attempt in range(5):
            self.work("dead", status=1)
            self.sql("dead", "UPDATE notice SET ready_ms = 1 WHERE state = 0")
        dead = self.call("GET", "/api/v1/notices?state=dead")["notices"]
        self.assertEqual([(n["key"], n["attempts"]) for n in dead], [(gone, 5)])
        self.assertIn("not there any more", dead[0]["error"])
        failed = self.call("GET", "/api/v1/objects?state=failed")["objects"]
        self.assertEqual((failed[0]["key"], failed[0]["attempts"]), (gone, 5))
        body = (self.folder / "lake" / key).read_bytes()
        self.assertEqual(self.emulator.put(gone, body), etag)
        self.assertEqual(self.call("POST", f"/api/v1/objects/{failed[0]['id']}/retry"), {"repeated": False})
        # A worker of any queue takes it.
        queue = self.emulator.queue("other")
        self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--once", "--database",
                         "sqlite:dead.db")
        self.assertEqual(self.call("GET", "/api/v1/objects?state=failed")["objects"], [])
        self.assertEqual(self.call("GET", "/api/v1/notices")["notices"], [])

    def test_a_stop_gives_back_what_is_in_hand(self):
        self.serve("stopped")
        self.fill()
        process = self.start("work", "--queue", "store", "--scorer", "model:m.model", "--database",
                             "sqlite:stopped.db")
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.sql("stopped", "SELECT COUNT(*) FROM notice WHERE state = 1"), [(0,)])
        self.work("stopped")
        self.assertEqual(self.observed("stopped.db"), self.wanted)
        self.assertEqual(self.sql("stopped", "SELECT COUNT(*) FROM notice"), [(0,)])
        self.assertEqual(self.sql("stopped", "SELECT COUNT(*) FROM worker"), [(0,)])


if __name__ == "__main__":
    unittest.main()
