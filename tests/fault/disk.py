"""A disk that fails, fills up, tears writes or loses power at a random call: what was acknowledged is
stored, what was not is stored whole or not at all, and nobody has to put anything right.

    python3 tests/fault/disk.py [--points 40] [--seed 1]

Each point starts the server on a database that earlier points have been through, with one of the
faults of vfs.c at a random call, while callers post batches and write notes. A fault that leaves the
process alive must be over without a restart: every batch is answered in the end. After each point the
file is judged by audit.py, which shares no code with the program, and must hold exactly the batches
that it says it holds, among them all that were acknowledged."""
import argparse
import http.client
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "api"), str(ROOT / "tests" / "store")]

from audit import faults  # noqa: E402
from kill import scores_of  # noqa: E402
from server import Client, Server  # noqa: E402

ENDING, PASSING = ("kill", "torn", "power"), ("ioerr", "full", "fsync")
POINTS_OF_A_DATABASE = 25
BATCHES_OF_A_POINT, CALLERS = 4, 2
# As many of the calls that a kind counts as a point makes, about.
CALLS_MAX = {"fsync": 16}
CALLS_MAX_DEFAULT = 120
FAILING_CALLS_MAX = 6
POST_SECONDS_MAX = 30


def build(folder):
    library = folder / "fault_vfs.so"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1",
                    "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("vfs.c")),
                    "-lsqlite3", "-lpthread"], check=True)
    return library


def mapped(ip):
    return bytes(10) + b"\xff\xff" + bytes(int(part) for part in ip.split("."))


class Point:
    """One start of the server with one fault before it."""

    def __init__(self, server, numbers, environment, may_end):
        self.server, self.may_end = server, may_end
        self.numbers, self.lock = iter(numbers), threading.Lock()
        self.acknowledged, self.notes, self.errors = set(), [], []
        server.environment = {**os.environ, **environment}
        self.started = self.start()
        if self.started:
            threads = [threading.Thread(target=self.work) for _ in range(CALLERS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self.errors:
            raise self.errors[0]
        if server.process.poll() is None:
            server.process.terminate()  # its last checkpoint may meet the fault, too
            server.process.wait(timeout=POST_SECONDS_MAX)

    def start(self):
        try:
            self.server.start()
            return True
        except AssertionError:
            # The fault met the opening of the database: it says so and ends.
            assert self.server.process.poll() is not None, "it neither serves nor ends"
            return False

    def gone(self):
        return self.may_end and self.server.process.poll() is not None

    def work(self):
        try:
            while (number := self.take()) is not None:
                sent = scores_of(number), {"Idempotency-Key": f"batch-{number}"}
                if self.post("ingest", "/api/v1/scores", *sent) is None:
                    return
                self.acknowledged.add(f"batch-{number}")
                self.write_note(number)
        except Exception as error:  # a thread's own is shown by nobody
            self.errors.append(error)

    def take(self):
        with self.lock:
            return next(self.numbers, None)

    def write_note(self, number):
        found = self.call("triage", "GET", "/api/v1/findings?limit=1")
        if found is None or not found.value["findings"]:
            return
        path = f"/api/v1/findings/{found.value['findings'][0]['id']}/notes"
        text = f"of batch {number}"
        if self.post("triage", path, {"text": text}) is not None:
            self.notes.append(text)

    def post(self, role, path, value, headers=None):
        return self.call(role, "POST", path, value, headers=headers)

    def call(self, role, method, path, *value, headers=None):
        """The reply once it is a success; None when the process is gone, as it may be."""
        deadline = time.monotonic() + POST_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                client = Client(self.server.port, token=self.server.used_tokens[role])
                reply = client.call(method, path, *value, headers=headers)
                client.close()
                if reply.status in (200, 201):
                    return reply
                assert reply.status in (409, 429, 503), f"{path}: {reply.status} {reply.body[:300]}"
            except (OSError, http.client.HTTPException):
                if self.gone():
                    return None
                assert self.server.process.poll() is None, f"it ended: {self.server.errors()[-800:]}"
            time.sleep(0.02)
        raise AssertionError(f"{path}: not accepted in {POST_SECONDS_MAX} s after the fault")


class Database:
    """What was promised of one database so far."""

    def __init__(self, server):
        self.path = server.folder / "test.db"
        self.acknowledged, self.notes = set(), set()

    def judge(self, point):
        self.acknowledged |= point.acknowledged
        self.notes |= set(point.notes)
        found = faults(self.path)
        assert not found, f"{len(found)} faults: {found[:3]}"
        db = sqlite3.connect(self.path)
        stored = {key for (key,) in db.execute("SELECT key FROM request WHERE key LIKE 'batch-%'")}
        notes = {text for (text,) in db.execute("SELECT text FROM note")}
        rows = Counter(db.execute("SELECT entity.uid, ip, last_ms FROM observation"
                                  " JOIN entity ON entity.id = entity_id"))
        db.close()
        assert self.acknowledged <= stored, f"lost: {sorted(self.acknowledged - stored)}"
        assert self.notes <= notes, f"lost notes: {sorted(self.notes - notes)}"
        wanted = Counter()
        for key in stored:
            for row in scores_of(int(key.removeprefix("batch-")))["scores"]:
                day, clock = int(row["time"][8:10]), row["time"][11:16]
                minutes = (day - 24) * 1440 + int(clock[:2]) * 60 + int(clock[3:])
                wanted[row["entity"], mapped(row["ip"]), EPOCH_MS + minutes * 60000] += 1
        assert rows == wanted, (f"{len(stored)} batches are {sum(wanted.values())} observations,"
                                f" stored are {sum(rows.values())}")


EPOCH_MS = 1795478400000  # 2026-11-24T00:00:00Z


def draw(chance):
    kind = chance.choice(ENDING + PASSING)
    environment = {"FAULT_KIND": kind, "FAULT_CALL": str(chance.randint(1, CALLS_MAX.get(kind, CALLS_MAX_DEFAULT))),
                   "FAULT_SEED": str(chance.randint(1, 1 << 30))}
    if kind in PASSING:
        environment["FAULT_CALLS"] = str(chance.randint(1, FAILING_CALLS_MAX))
    return kind, environment


def run_database(library, points, chance, tally):
    """Some points on one database; yields what was wrong with each, or None."""
    with Server() as server:
        server.stop()
        database, number = Database(server), 0
        for _ in range(points):
            kind, environment = draw(chance)
            environment["LD_PRELOAD"] = str(library)
            numbers = range(number, number + BATCHES_OF_A_POINT)
            number += BATCHES_OF_A_POINT
            try:
                point = Point(server, numbers, environment, kind in ENDING)
                database.judge(point)
                met = "fault vfs: " in server.errors()
                tally[kind, "met" if met else "not met"] += 1
                yield None
            except AssertionError as error:
                shown = " ".join(f"{name}={value}" for name, value in environment.items())
                yield f"{shown}: {error}"
            finally:
                if server.process.poll() is None:
                    server.process.kill()
                    server.process.wait()
                server.process.stdout.close()
                server.log.close()
                (server.folder / "serve.err").unlink()
        server.process = None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, tally = random.Random(options.seed), Counter()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="pairwatch-disk-") as folder:
        library = build(Path(folder))
        left = options.points
        while left > 0:
            for wrong in run_database(library, min(left, POINTS_OF_A_DATABASE), chance, tally):
                passed, failed = passed + (wrong is None), failed + (wrong is not None)
                if wrong is not None:
                    print(wrong, flush=True)
            left -= POINTS_OF_A_DATABASE
    for (kind, met), count in sorted(tally.items()):
        print(f"{kind}: {count} {met}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not any(met == "met" for _, met in tally) else 0


if __name__ == "__main__":
    sys.exit(main())
