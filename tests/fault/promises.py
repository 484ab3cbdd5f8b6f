"""Callers that post batches and write notes while something goes wrong, and what must hold after it:
all that was acknowledged is stored, and what was not is stored whole or not at all."""
import http.client
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "api"), str(ROOT / "tests" / "store")]

import chunk  # noqa: E402
from audit import faults  # noqa: E402
from server import BINARY, Client, batch, score  # noqa: E402

ROWS = 40
POST_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 60
DAY_MS = 1795478400000  # 2026-11-24T00:00:00Z


def scores_of(number):
    """Batch `number`: pairs come back in other batches, some of them above the threshold."""
    chance = random.Random(number)
    rows = []
    for _ in range(ROWS):
        hour, minute = chance.randrange(24), chance.randrange(60)
        rows.append(score(f"i-{chance.randrange(30):02d}", f"198.51.100.{chance.randrange(40)}",
                          f"2026-11-2{chance.randrange(4)}T{hour:02d}:{minute:02d}:00.000Z",
                          score=chance.randrange(100) / 100))
    return batch(*rows, threshold=0.9)


def observations_of(number):
    """What batch `number` leaves, as (entity, address, time) and how often."""
    rows = Counter()
    for row in scores_of(number)["scores"]:
        day, minutes = int(row["time"][8:10]), int(row["time"][11:13]) * 60 + int(row["time"][14:16])
        ip = bytes(10) + b"\xff\xff" + bytes(int(part) for part in row["ip"].split("."))
        rows[row["entity"], ip, DAY_MS + ((day - 24) * 1440 + minutes) * 60000] += 1
    return rows


class Callers:
    """Threads that share batches and send each until it is answered; after each, a note.

    `may_end` says whether the server may be gone: a caller gives up then."""

    def __init__(self, server, numbers, count, may_end=False, pause=0.02):
        self.server, self.may_end, self.pause = server, may_end, pause
        self.numbers, self.lock = iter(numbers), threading.Lock()
        self.acknowledged, self.notes, self.errors = set(), set(), []
        self.retries = Counter()  # role to the most that one call needed
        self.threads = [threading.Thread(target=self.work) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def busy(self):
        return any(thread.is_alive() for thread in self.threads)

    def work(self):
        try:
            while (number := self.take()) is not None:
                key = f"batch-{number}"
                if self.call("ingest", "POST", "/api/v1/scores", scores_of(number),
                             {"Idempotency-Key": key}) is None:
                    return
                self.acknowledged.add(key)
                self.write_note(number)
        except Exception as error:  # shown by finish(): a thread's own is not
            self.errors.append(error)

    def take(self):
        with self.lock:
            return next(self.numbers, None)

    def write_note(self, number):
        found = self.call("triage", "GET", "/api/v1/findings?limit=1")
        if found is None or not found.value["findings"]:
            return
        path, text = f"/api/v1/findings/{found.value['findings'][0]['id']}/notes", f"of {number}"
        if self.call("triage", "POST", path, {"text": text}) is not None:
            self.notes.add(text)

    def call(self, role, method, path, value=None, headers=None):
        """The reply once it is a success; None when the server is gone, as it may be."""
        until, retries, server = time.monotonic() + POST_SECONDS_MAX, 0, self.server
        while time.monotonic() < until:
            try:
                client = Client(server.port, token=server.used_tokens[role])
                reply = client.call(method, path, value, headers=headers)
                client.close()
                if reply.status in (200, 201):
                    self.retries[role] = max(self.retries[role], retries)
                    return reply
                assert reply.status in (409, 429, 503), f"{path}: {reply.status} {reply.body[:300]}"
            except (OSError, http.client.HTTPException):
                if self.may_end and server.process.poll() is not None:
                    return None
            retries += 1
            time.sleep(self.pause)
        raise AssertionError(f"{method} {path}: no success in {POST_SECONDS_MAX} s")


def copy_of_postgres(url, path):
    """A SQLite file with what a schema of PostgreSQL holds, for readers of such files."""
    subprocess.run([str(BINARY), "migrate", "--database", f"sqlite:{path}"], check=True,
                   capture_output=True, timeout=COMMAND_SECONDS_MAX)
    db = sqlite3.connect(path)
    db.execute("PRAGMA foreign_keys = OFF")
    tables = [name for (name,) in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    sql = "BEGIN ISOLATION LEVEL REPEATABLE READ;" + "".join(
        f"SELECT json_build_array('{table}', row_to_json(t)) FROM \"{table}\" t;"
        for table in tables)
    read = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql], check=True,
                          capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX)
    blobs = {(table, row[1]) for table in tables
             for row in db.execute(f'PRAGMA table_info("{table}")') if row[2] == "BLOB"}
    for table in tables:
        db.execute(f'DELETE FROM "{table}"')
    for line in read.stdout.splitlines():
        table, row = json.loads(line)
        values = [bytes.fromhex(value[2:]) if value is not None and (table, name) in blobs else value
                  for name, value in row.items()]
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        db.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', values)
    db.commit()
    db.close()


class Promises:
    """What was promised of one database so far."""

    def __init__(self):
        self.acknowledged, self.notes = set(), set()

    def add(self, callers):
        self.acknowledged |= callers.acknowledged
        self.notes |= callers.notes

    def judge(self, path):
        found = faults(path)
        assert not found, f"{len(found)} faults: {found[:3]}"
        db = sqlite3.connect(path)
        stored = {key for (key,) in db.execute("SELECT key FROM request WHERE key LIKE 'batch-%'")}
        notes = {text for (text,) in db.execute("SELECT text FROM note")}
        chunk.unpack(db)
        rows = Counter(db.execute("SELECT entity.uid, ip, last_ms FROM every_observation"
                                  " JOIN entity ON entity.id = entity_id"
                                  " WHERE object_id IS NULL"))
        db.close()
        assert self.acknowledged <= stored, f"lost: {sorted(self.acknowledged - stored)}"
        assert self.notes <= notes, f"lost notes: {sorted(self.notes - notes)}"
        wanted = Counter()
        for key in stored:
            wanted += observations_of(int(key.removeprefix("batch-")))
        assert rows == wanted, (f"{len(stored)} batches are {sum(wanted.values())} observations,"
                                f" stored are {sum(rows.values())}")
