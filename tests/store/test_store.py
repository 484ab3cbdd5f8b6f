"""Many callers at once, and other processes beside the server, leave a database that is sound."""
import os
import random
import shutil
import sqlite3
import sys
import threading
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

import audit  # noqa: E402
from server import Server, batch, score  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
CALLERS, BATCHES, ROWS = 4, 12, 50
ANALYSTS, PATCHES = 3, 40
HOUR_MS = 3600 * 1000
VERDICTS = (None, "true_positive", "benign", "false_positive", "suspicious")


def time_of(draw):
    day, hour, minute = draw.randrange(1, 28), draw.randrange(24), draw.randrange(60)
    return f"2026-10-{day:02}T{hour:02}:{minute:02}:00.000Z"


def rows_of(draw):
    """Few pairs, so that findings recur; one in five is flagged."""
    return [
        score(f"i-{draw.randrange(30):02}", f"203.0.113.{draw.randrange(8)}", time_of(draw),
              score=draw.choice((-70.5, -3.25, -0.5, 0.0, 2.0 + draw.random())),
              count=draw.randrange(1, 9))
        for _ in range(ROWS)
    ]


class Callers:
    """Threads whose mistakes fail the test."""

    def __init__(self):
        self.threads, self.problems = [], []

    def start(self, call, *arguments):
        def run():
            try:
                call(*arguments)
            except Exception as problem:  # told by the test
                self.problems.append(repr(problem))

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join(timeout=120)
        return self.problems


class Store(unittest.TestCase):
    def setUp(self):
        self.server = Server().__enter__()
        self.file = self.server.folder / "test.db"
        self.posted = []

    def tearDown(self):
        self.server.__exit__(None, None, None)

    def post_batches(self, number):
        draw = random.Random(SEED * 1000 + number)
        client = self.server.client("ingest")
        for i in range(BATCHES):
            sent = batch(*rows_of(draw), model=f"outside-{number % 2}", threshold=1.0)
            key = {"Idempotency-Key": f'"{number}-{i}"'}
            first = client.post("/api/v1/scores", sent, headers=key)
            again = client.post("/api/v1/scores", sent, headers=key)
            if first.status not in (200, 201) or again.value != {**first.value, "repeated": True}:
                raise AssertionError(f"{first.status} {first.value}, again {again.value}")
            self.posted.append(len(sent["scores"]))

    def triage(self, number, deadline):
        draw = random.Random(SEED * 2000 + number)
        client = self.server.client("triage")
        done = 0
        while done < PATCHES and not deadline.is_set():
            findings = client.get("/api/v1/findings?limit=50").value["findings"]
            if not findings:
                continue
            finding = draw.choice(findings)
            path = f"/api/v1/findings/{finding['id']}"
            change = {"status": draw.choice(audit.STATUS_WORDS), "verdict": draw.choice(VERDICTS),
                      "tags": draw.sample(["vpn", "scanner", "lab"], draw.randrange(3))}
            reply = client.patch(path, change, match=f'"v{finding["version"]}"')
            if reply.status not in (200, 412):
                raise AssertionError(f"{reply.status} {reply.body}")
            if client.post(f"{path}/notes", {"text": f"{number}-{done}"}).status != 201:
                raise AssertionError("a note was not taken")
            done += 1

    def make_tokens(self):
        for i in range(5):
            self.server.command("token", "create", f"beside-{i}", "--role", "read")

    def sound(self):
        self.assertEqual(audit.faults(self.file), [])

    def counted(self, query):
        db = sqlite3.connect(self.file)
        try:
            return db.execute(query).fetchone()[0]
        finally:
            db.close()

    def test_callers_analysts_and_commands_at_once(self):
        callers, posting, ended = Callers(), Callers(), threading.Event()
        for i in range(CALLERS):
            posting.start(self.post_batches, i)
        for i in range(ANALYSTS):
            callers.start(self.triage, i, ended)
        callers.start(self.make_tokens)
        problems = posting.join()
        self.sound()  # in the midst of triage: a reader's snapshot is whole
        problems += callers.join()
        ended.set()
        self.assertEqual(problems, [])
        self.sound()
        self.assertEqual(self.counted("SELECT COUNT(*) FROM observation"), sum(self.posted))
        self.assertEqual(sum(self.posted), CALLERS * BATCHES * ROWS)
        self.assertEqual(self.counted("SELECT COUNT(*) FROM note"), ANALYSTS * PATCHES)
        self.assertGreater(self.counted("SELECT COUNT(*) FROM change WHERE kind = 2"), ANALYSTS)
        self.assertEqual(self.counted("SELECT COUNT(*) FROM token WHERE name LIKE 'beside%'"), 5)
        self.server.stop()
        self.sound()

    def test_the_audit_sees_what_is_wrong(self):
        """One row altered at a time in a copy, and the audit names what it breaks."""
        self.post_batches(0)
        finding = self.server.client("triage").get("/api/v1/findings").value["findings"][0]
        self.server.client("triage").patch(f"/api/v1/findings/{finding['id']}",
                                           {"status": "resolved"}, match=f'"v{finding["version"]}"')
        self.server.stop()
        for alter, told in (
            ("UPDATE change SET body = '{}' WHERE seq = 5", "change 5"),
            ("DELETE FROM change WHERE seq = 7", "from 6 to 8"),
            ("DELETE FROM observation WHERE id = 9", "rollup"),
            ("UPDATE observation SET score = 60 WHERE id = 9", "rollup"),
            ("UPDATE rollup_hour SET events = events + 1", "rollup"),
            ("UPDATE finding SET sightings = sightings + 1 WHERE id = 2", "finding 2"),
            ("UPDATE finding SET status = 2 WHERE id = 3", "history says"),
            ("UPDATE finding SET seq = 1 WHERE id = 2", "at seq 1"),
            ("UPDATE observation SET entity_id = 999 WHERE finding_id IS NULL", "leads nowhere"),
            ("INSERT INTO object VALUES (1, 'b', 'k', 'e', 1, 1, 1, 5, '{}', NULL, NULL, 1, 1)",
             "object k"),
        ):
            with self.subTest(alter):
                copy = self.server.folder / "copy.db"
                shutil.copy(self.file, copy)
                db = sqlite3.connect(copy)
                db.execute(alter)
                db.commit()
                db.close()
                found = audit.faults(copy)
                self.assertTrue(any(told in fault for fault in found), found)


if __name__ == "__main__":
    unittest.main()
