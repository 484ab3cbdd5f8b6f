"""kill -9 of the worker and of the server at random moments loses nothing and doubles nothing.

    python3 tests/fault/kill.py [--rounds 50] [--seed 1]

Rounds take turns. A worker's round starts `work --once` on a fresh database, kills it one to three
times, and lets it run to its end. A server's round posts batches from several callers, kills the
server one to three times and starts it again; callers send what was not answered again under the
same Idempotency-Key. Each database must then hold what an undisturbed run left: every column of
every table but those that say when something was stored and in which order.
"""
import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

sys.dont_write_bytecode = True
from promises import Callers  # noqa: E402
import chunk  # noqa: E402
from server import BINARY, Server  # noqa: E402

ENTITIES, DAYS, TRAIN_DAYS = 150, 6, 4
KILLS_MAX = 3
CALLERS, BATCHES = 3, 60  # batches are shared by the callers
WORK_SECONDS_MAX = 120

# What differs between two undisturbed runs: when, in which order, under which number.
VOLATILE = {"id", "uid", "seq", "version", "created_ms", "updated_ms", "finished_ms", "attempts",
            "registered_ms", "last_used_ms"}
# A number that stands for a row is read as what that row says.
MEANING = {
    "entity_id": "(select uid from entity where id = t.entity_id)",
    "spec_id": "(select name from spec where id = t.spec_id)",
    "model_id": "(select uid from model where id = t.model_id)",
    "object_id": "(select bucket || ' ' || key || ' ' || etag from object where id = t.object_id)",
    "finding_id": "(select spec_id || ' ' || hex(ip) || ' ' || (select uid from entity where"
                  " id = finding.entity_id) from finding where id = t.finding_id)",
    # Which of two batches made a finding and which added to it is their order.
    "result": "json_extract(t.result, '$.observations') || ' ' || json_extract(t.result, '$.flagged')"
              " || ' ' || (json_extract(t.result, '$.findings_new')"
              " + json_extract(t.result, '$.findings_updated'))",
}
TABLES = ("every_observation", "finding", "rollup_hour", "object", "request")


def contents(path):
    """Table name to its sorted rows, each a tuple of what the row means."""
    tables = {}
    with sqlite3.connect(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",), "the file is damaged"
        chunk.unpack(db)
        for table in TABLES:
            columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
            assert columns, f"there is no table {table}"
            wanted = [MEANING.get(name, f"t.{name}") for name in columns if name not in VOLATILE]
            rows = db.execute(f"select {', '.join(wanted)} from {table} t").fetchall()
            tables[table] = sorted(rows, key=repr)
        count, last = db.execute("select count(*), coalesce(max(seq), 0) from change").fetchone()
        assert count == last, f"{count} changes but the last is number {last}"
        told, = db.execute("select sum(json_extract(result, '$.findings_new')) from request").fetchone()
        made, = db.execute("select count(*) from finding").fetchone()
        assert told in (None, made), f"{made} findings, and {told} were said to be new"
    db.close()
    return tables


def compare(path, wanted, what):
    got = contents(path)
    for table in TABLES:
        if got[table] != wanted[table]:
            missing = [row for row in wanted[table] if row not in set(got[table])]
            extra = [row for row in got[table] if row not in set(wanted[table])]
            raise AssertionError(
                f"{what}: {table} has {len(got[table])} rows, undisturbed {len(wanted[table])}; "
                f"missing {missing[:3]}, extra {extra[:3]}"
            )


class Worker:
    """A small lake, a model of its first days, and what scoring the rest leaves undisturbed."""

    def __init__(self, folder):
        self.folder = folder
        lake = folder / "lake"
        self.run("simulate", "--entities", str(ENTITIES), "--days", str(DAYS), "--seed", "11",
                 "--out", str(lake))
        days = sorted({path.name.split("=")[1] for path in lake.glob("**/eventDay=*")})
        self.since = f"{days[TRAIN_DAYS][:4]}-{days[TRAIN_DAYS][4:6]}-{days[TRAIN_DAYS][6:]}"
        self.run("train", "--out", str(folder / "model"), "--until", self.since, str(lake))
        began = time.monotonic()
        self.finish(folder / "undisturbed.db")
        self.seconds = time.monotonic() - began
        self.wanted = contents(folder / "undisturbed.db")
        assert self.wanted["every_observation"] and self.wanted["finding"], "nothing to compare"

    def run(self, *arguments):
        done = subprocess.run([str(BINARY), *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=WORK_SECONDS_MAX)
        if done.returncode != 0:
            raise AssertionError(f"{arguments[0]}: exit {done.returncode}: {done.stderr[-2000:]}")

    def arguments(self, database):
        return ["work", "--queue", f"dir:{self.folder / 'lake'}", "--scorer",
                f"model:{self.folder / 'model'}", "--database", f"sqlite:{database}", "--once",
                "--since", self.since]

    def finish(self, database):
        self.run(*self.arguments(database))

    def round(self, number, chance):
        database = self.folder / f"round-{number}.db"
        kills = 0
        for _ in range(chance.randint(1, KILLS_MAX)):
            process = subprocess.Popen([str(BINARY), *self.arguments(database)], cwd=self.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=chance.uniform(0, self.seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        self.finish(database)
        compare(database, self.wanted, f"round {number}, worker")
        for path in self.folder.glob(f"round-{number}.db*"):
            path.unlink()
        return kills


class Serving:
    def __init__(self):
        with Server() as server:
            began = time.monotonic()
            Callers(server, range(BATCHES), CALLERS).finish()
            self.seconds = time.monotonic() - began
            server.stop()
            self.wanted = contents(server.folder / "test.db")
        assert self.wanted["finding"], "no finding to compare"

    def round(self, number, chance):
        kills = 0
        with Server() as server:
            callers = Callers(server, range(BATCHES), CALLERS)
            for _ in range(chance.randint(1, KILLS_MAX)):
                time.sleep(chance.uniform(0, self.seconds / 2))
                kills += callers.busy()
                server.process.kill()
                server.process.wait()
                server.start()
            callers.finish()
            server.stop()
            compare(server.folder / "test.db", self.wanted, f"round {number}, server")
        return kills


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = temp_folder("kill")
    failed = kills = 0
    try:
        kinds = (Worker(folder), Serving())
        print(f"undisturbed: worker {kinds[0].seconds:.1f} s, "
              f"{len(kinds[0].wanted['every_observation'])} observations, "
              f"{len(kinds[0].wanted['finding'])} findings; server {kinds[1].seconds:.1f} s, "
              f"{len(kinds[1].wanted['every_observation'])} observations, "
              f"{len(kinds[1].wanted['finding'])} findings", flush=True)
        for number in range(options.rounds):
            try:
                kills += kinds[number % 2].round(number, chance)
            except AssertionError as error:
                failed += 1
                print(error, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {options.seed}: {kills} processes killed in the middle of their work")
    print(f"{options.rounds - failed} passed, {failed} failed")
    return 1 if failed or (options.rounds > 4 and kills == 0) else 0


if __name__ == "__main__":
    sys.exit(main())
