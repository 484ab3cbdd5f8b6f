"""The life of a store at some thousand times its speed: arrivals, triage, retention, archive, backups,
and a server that is killed now and then. It ends with a file and a memory that stay the same size.

    python3 tests/fault/life.py [--seconds 20] [--seed 1]

A second is a day: the program's wall clock is made to run so fast (clock.c). Each day a batch comes every
two hours, people close most of what is flagged, what is three days old goes to the archive, closed
findings go after four days and changes after five. After the end: what was acknowledged and never flagged
is in the archive or in the store, each once; the store is sound by tests/store/audit.py and by `pairwatch
check store`; the last copy comes back and is sound too; the archive's objects are whole. File and memory
of the last quarter are held against those of the quarter before.
"""
import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

sys.dont_write_bytecode = True
from promises import BINARY, faults  # noqa: E402
from server import POSTGRES, Client, Server, batch, score  # noqa: E402

DAY = 86400
BATCHES_A_DAY, ROWS, FLAGGED = 12, 300, 2
ENTITIES = 200
OPEN_MAX = 400  # arrivals wait for people then: the backlog is theirs, not the store's
KILL_EVERY = 6  # seconds
RULES = {"KEEP_OBSERVATIONS": "3d", "KEEP_FINDINGS": "4d", "KEEP_CHANGES": "5d", "KEEP_OBJECTS": "5d",
         "KEEP_HOURS": "4d", "KEEP_ROLLUPS": "9d", "RETENTION_EVERY": "1s"}
GROWTH_MAX = 1.25
FILE_SLACK, MEMORY_SLACK = 2 << 20, 32 << 20  # a server that was just started has not read Parquet yet
LOG_BYTES_MAX = 96 << 20  # 64 MB, and what comes while a copy is made


class Life:
    def __init__(self, folder, seconds, seed):
        self.seconds, self.chance = seconds, random.Random(seed)
        self.archive, self.copies = folder / "archive", folder / "copies"
        self.archive.mkdir()
        self.copies.mkdir()
        library = folder / "clock.so"
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-o", library,
                        Path(__file__).with_name("clock.c")], check=True)
        self.since = time.time()
        rules = {f"PAIRWATCH_{name}": value for name, value in RULES.items()}
        self.environment = {**os.environ, **rules, "PAIRWATCH_ARCHIVE": str(self.archive),
                            "PAIRWATCH_BACKUP_DIR": str(self.copies), "LD_PRELOAD": str(library),
                            "CLOCK_SINCE": repr(self.since), "CLOCK_TIMES": str(DAY)}
        self.server = Server()
        self.server.environment = self.environment
        self.problems, self.usual, self.flagged, self.batches = [], 0, 0, 0
        self.closed, self.patch_ms, self.samples, self.kills = 0, [], [], 0
        self.over, self.lock = threading.Event(), threading.Lock()

    def now(self):
        return self.since + (time.time() - self.since) * DAY

    def text(self, seconds):
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def until_answered(self, role, call):
        """Sends again what a server that was killed did not answer."""
        while True:
            try:
                with self.lock:
                    client = Client(self.server.port, token=self.server.used_tokens[role])
                reply = call(client)
                if reply.status not in (429, 503):
                    return reply
            except (OSError, ValueError, AssertionError) as problem:
                if "contract" in str(problem):
                    raise
            except Exception as problem:  # a connection that broke off in the middle
                if type(problem).__module__ != "http.client":
                    raise
            time.sleep(0.05)

    def arrive(self):
        while not self.over.is_set():
            end, rows = self.now(), []
            for i in range(ROWS):
                rows.append(score(f"i-{self.chance.randrange(ENTITIES):03}", f"198.51.{i % 100}.{i // 2}",
                                  self.text(end - self.chance.randrange(DAY // BATCHES_A_DAY)), score=-1.5))
            for _ in range(FLAGGED):
                rows.append(score(f"i-{self.chance.randrange(ENTITIES):03}",
                                  f"203.{self.chance.randrange(256)}.113.{self.chance.randrange(256)}",
                                  self.text(end), score=2.5))
            key = {"Idempotency-Key": f'"{self.batches}"'}
            reply = self.until_answered("ingest", lambda c: c.post("/api/v1/scores", batch(*rows), headers=key))
            assert reply.status in (200, 201), reply.body
            self.usual += ROWS
            self.flagged += FLAGGED
            self.batches += 1
            while self.flagged - self.closed > OPEN_MAX and not self.over.is_set():
                time.sleep(0.05)
            self.over.wait(max(0.0, self.since + self.batches / BATCHES_A_DAY - time.time()))

    def triage(self):
        while not self.over.is_set():
            page = self.until_answered("read", lambda c: c.get("/api/v1/findings?status=new&limit=50"))
            for finding in page.value["findings"]:
                change = {"status": "resolved", "verdict": self.chance.choice(("benign", "true_positive"))}
                began = time.monotonic()
                reply = self.until_answered("triage", lambda c: c.patch(
                    f"/api/v1/findings/{finding['id']}", change, match=f'"v{finding["version"]}"'))
                assert reply.status in (200, 404, 412), reply.body
                self.patch_ms.append((time.monotonic() - began) * 1000)
                self.closed += reply.status == 200
                if self.over.is_set():
                    return
            self.over.wait(0.2)

    def back_up(self):
        while not self.over.wait(2.5):
            self.command("backup", "--backup-keep", "2")

    def command(self, *arguments):
        done = subprocess.run([str(BINARY), *arguments, "--database", self.server.database],
                              env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def kill(self):
        while not self.over.wait(KILL_EVERY):
            with self.lock:
                self.server.process.send_signal(signal.SIGKILL)
                self.server.process.wait(20)
                self.server.process.stdout.close()
                self.server.log.close()
                self.server.start()
            self.kills += 1

    def measure(self):
        while not self.over.wait(0.5):
            file = Path(self.server.folder) / "test.db"
            try:
                status = Path(f"/proc/{self.server.process.pid}/status").read_text()
                rss = int(status.split("VmRSS:")[1].split()[0]) * 1024
            except (OSError, IndexError):
                continue  # it is being started again
            log = file.with_name("test.db-wal")
            sizes = [path.stat().st_size if path.exists() else 0 for path in (file, log)]
            self.samples.append((time.time() - self.since, sizes[0], rss, sizes[1]))

    def guard(self, work):
        try:
            work()
        except Exception as problem:
            self.problems.append(f"{work.__name__}: {problem!r}")
            self.over.set()

    def run(self):
        work = [self.arrive, self.triage, self.kill, self.measure] + ([] if POSTGRES else [self.back_up])
        threads = [threading.Thread(target=self.guard, args=(each,)) for each in work]
        for thread in threads:
            thread.start()
        self.over.wait(self.seconds)
        self.over.set()
        for thread in threads:
            thread.join(120)

    # ---- what must hold ----

    def ask(self, sql):
        if POSTGRES:
            done = subprocess.run(["psql", "-qAtX", self.server.database, "-c", sql], capture_output=True,
                                  text=True, check=True, timeout=60)
            return int(done.stdout)
        with sqlite3.connect(self.server.folder / "test.db") as db:
            return db.execute(sql).fetchone()[0]

    def stable(self, what, at, slack):
        """The most of the last quarter against the most of the one before."""
        def most(part):
            start, end = self.seconds * part / 4, self.seconds * (part + 1) / 4
            return max((sample[at] for sample in self.samples if start <= sample[0] < end), default=0)

        before, last = most(2), most(3)
        if last > before * GROWTH_MAX + slack:
            self.problems.append(f"the {what} grew from {before} to {last} bytes")
        return last

    def judge(self):
        assert self.server.stop() == 0
        archived = self.ask("SELECT COALESCE(SUM(rows), 0) FROM archive")
        here = (self.ask("SELECT COALESCE(SUM(rows), 0) FROM observation_chunk")
                + self.ask("SELECT COUNT(*) FROM observation WHERE finding_id IS NULL"))
        if archived + here != self.usual:
            self.problems.append(f"{self.usual} came, {archived} are archived and {here} here")
        if archived < self.usual / 3:
            self.problems.append(f"only {archived} of {self.usual} went to the archive")
        if self.ask("SELECT COUNT(*) FROM change_start") != 1:
            self.problems.append("no change was let go of")
        self.command("check", "store")
        objects = list(self.archive.rglob("*.parquet"))
        durable = self.ask("SELECT COUNT(*) FROM archive WHERE body IS NULL")
        if len(objects) < durable:
            self.problems.append(f"{len(objects)} objects in the archive, {durable} are said to be")
        other = self.server.folder / "other.db"
        said = subprocess.run([str(BINARY), "import", str(self.archive), "--database", f"sqlite:{other}"],
                              capture_output=True, text=True, timeout=120, check=True).stdout
        rows = self.ask("SELECT COALESCE(SUM(rows), 0) FROM archive WHERE body IS NULL")
        if int(said.split(" objects, ")[1].split()[0]) < rows:
            self.problems.append(f"the archive has {rows} rows, import says {said}")
        if not POSTGRES:
            self.problems += faults(self.server.folder / "test.db")
            self.judge_copy()

    def judge_copy(self):
        manifests = sorted(self.copies.glob("*.json"))
        if not manifests:
            self.problems.append("there is no copy")
            return
        back = self.server.folder / "back.db"
        for arguments in (("restore", str(manifests[-1])), ("check", "store")):
            done = subprocess.run([str(BINARY), *arguments, "--database", f"sqlite:{back}"],
                                  capture_output=True, text=True, timeout=120, check=False)
            if done.returncode != 0:
                self.problems.append(f"{arguments}: {done.stdout}{done.stderr}")
        self.problems += faults(back)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = temp_folder("life")
    try:
        life = Life(folder, options.seconds, options.seed)
        with life.server:
            life.run()
            life.judge()
            size = 0 if POSTGRES else life.stable("file", 1, FILE_SLACK)
            rss = life.stable("memory of serve", 2, MEMORY_SLACK)
            log = max(sample[3] for sample in life.samples)
            if log > LOG_BYTES_MAX:
                life.problems.append(f"the log grew to {log} bytes")
            patches = sorted(life.patch_ms) or [0]
            print(json.dumps({
                "days": options.seconds, "batches": life.batches, "usual": life.usual, "flagged": life.flagged,
                "closed": life.closed, "kills": life.kills, "file_mb": round(size / 1e6, 1),
                "log_mb": round(log / 1e6, 1), "rss_mb": round(rss / 1e6, 1), "patch_ms_p50": round(patches[len(patches) // 2], 1),
                "patch_ms_p99": round(patches[int(len(patches) * 0.99)], 1)}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for problem in life.problems:
        print(problem)
    print(f"{1 if not life.problems else 0} passed, {1 if life.problems else 0} failed")
    return 1 if life.problems else 0


if __name__ == "__main__":
    sys.exit(main())
