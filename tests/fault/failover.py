"""The primary is killed and its standby promoted under load: no acknowledged row is lost, none is there
twice, the feed has no gap, and an analyst's click is tried again at most once.

    POSTGRES_STANDBY=on tests/postgres python3 tests/fault/failover.py [--seed 1]

Two servers take batches and notes from callers (one reads from the standby), three workers read a lake into the same database.
The primary is killed in the middle (SIGKILL), the standby promoted a moment later. Nothing is
restarted. In the end the database must hold what was acknowledged (promises.py), and of the lake
exactly what one undisturbed worker leaves."""
import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
from kill import CALLERS, Worker  # noqa: E402
from promises import Callers, Promises, copy_of_postgres  # noqa: E402
import chunk  # noqa: E402
from server import BINARY, POSTGRES, Server  # noqa: E402

WORKERS, BATCHES = 3, 200
WORK_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
RETRY_AFTER_S = 1
RETRIES_OF_AN_ANALYST_MAX = 1
OF_OBJECTS = ("SELECT bucket, key, uid, o.ip, spec.name, o.first_ms, o.last_ms, o.count, round(o.score, 4),"
              " o.finding_id IS NULL FROM every_observation o JOIN object ON object.id = o.object_id"
              " JOIN entity ON entity.id = o.entity_id JOIN spec ON spec.id = o.spec_id")


class Second(Server):
    """Another server on the database of the first."""

    def __init__(self, first):
        super().__init__()
        self.execute(f"DROP SCHEMA {self.schema}")
        self.schema, self.used_tokens = first.schema, first.used_tokens
        # This one reads from the standby, which has then applied what was acknowledged.
        replica = first.database.replace("=read-write", "=prefer-standby")
        self.database = first.database.replace(
            "options=", "options=-csynchronous_commit%3Dremote_apply%20")
        self.arguments = ("--read-database", replica)

    def __enter__(self):
        self.start()
        return self


def rows_of(path):
    db = sqlite3.connect(path)
    chunk.unpack(db)
    rows = Counter(db.execute(OF_OBJECTS))
    db.close()
    return rows


def objects_done(server):
    done = subprocess.run(["psql", "-qXAt", server.database, "-c",
                           "SELECT count(*) FROM object WHERE error_code IS NULL"],
                          capture_output=True, text=True, timeout=30)
    return int(done.stdout) if done.returncode == 0 else 0


def readers_of_standby():
    standby = re.sub(r"@[^,/]+,", "@", POSTGRES)
    return int(subprocess.run(
        ["psql", "-qXAt", standby, "-c", "SELECT count(*) FROM pg_stat_activity"
         " WHERE application_name = 'pairwatch'"], check=True, capture_output=True, text=True).stdout)


def start_worker(lake, server, log):
    return subprocess.Popen(
        [str(BINARY), "work", "--queue", f"dir:{lake.folder / 'lake'}", "--scorer",
         f"model:{lake.folder / 'model'}", "--database", server.database, "--since", lake.since],
        cwd=lake.folder, stdout=subprocess.DEVNULL, stderr=log)


def control(what):
    subprocess.run([os.environ["TEST_POSTGRES_CTL"], what], check=True, timeout=60)


def run(folder, chance):
    lake = Worker(folder)
    wanted = rows_of(folder / "undisturbed.db")
    objects = sqlite3.connect(folder / "undisturbed.db").execute(
        "SELECT count(*) FROM object").fetchone()[0]
    with Server() as first, Second(first) as second, open(folder / "work.err", "wb") as log:
        workers = [start_worker(lake, first, log) for _ in range(WORKERS)]
        try:
            # A caller waits as long as Retry-After says.
            callers = [Callers(server, range(i, BATCHES, 2), CALLERS, pause=RETRY_AFTER_S)
                       for i, server in enumerate((first, second))]
            time.sleep(chance.uniform(0.1, 1.5))
            under_load = sum(each.busy() for each in callers)
            before = objects_done(first)
            assert readers_of_standby() > 0, "nobody reads from the standby"
            control("kill")
            time.sleep(chance.uniform(0, 2))
            control("promote")
            for each in callers:
                each.finish()
            until = time.monotonic() + WORK_SECONDS_MAX
            while objects_done(first) < objects:
                assert time.monotonic() < until, f"{objects_done(first)} of {objects} objects"
                time.sleep(0.2)
            assert all(worker.poll() is None for worker in workers), "a worker ended"
        except BaseException:
            print((folder / "work.err").read_text()[-3000:], first.errors()[-3000:])
            raise
        finally:
            for worker in workers:
                if worker.poll() is None:
                    worker.send_signal(signal.SIGTERM)
                worker.wait(timeout=STOP_SECONDS_MAX)
        promises, path = Promises(), folder / "copy.db"
        for each in callers:
            promises.add(each)
        copy_of_postgres(first.database, path)
        promises.judge(path)
        got = rows_of(path)
        assert got == wanted, f"missing {list((wanted - got))[:3]}, extra {list((got - wanted))[:3]}"
        assert len(promises.acknowledged) == BATCHES, "not every batch was answered"
        retries = {role: max(each.retries[role] for each in callers) for role in callers[0].retries}
        print(f"killed with {before} of {objects} objects read and {under_load} servers under load;"
              f" most retries of a call: {retries}")
        assert retries["triage"] <= RETRIES_OF_AN_ANALYST_MAX, "an analyst had to try again twice"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    assert POSTGRES and "," in POSTGRES, "needs POSTGRES_STANDBY=on tests/postgres"
    with tempfile.TemporaryDirectory(prefix="pairwatch-failover-") as folder:
        try:
            run(Path(folder), random.Random(options.seed))
        except AssertionError as error:
            print(error)
            print("0 passed, 1 failed")
            return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
