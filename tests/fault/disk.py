"""A disk that fails, fills up, tears writes or loses power at a random call: what was acknowledged is
stored, what was not is stored whole or not at all, and nobody has to put anything right.

    python3 tests/fault/disk.py [--points 40] [--seed 1]

Each point starts the server on a database that earlier points have been through, with one of the
faults of vfs.c at a random call, while callers post batches and write notes. A fault that leaves the
process alive must be over without a restart: every batch is answered in the end. After each point the
file is judged by audit.py, which shares no code with the program, and must hold exactly the batches
that it says it holds, among them all that were acknowledged."""
import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
from promises import Callers, Promises, scores_of  # noqa: E402
from server import Server  # noqa: E402

ENDING, PASSING = ("kill", "torn", "power"), ("ioerr", "full", "fsync")
POINTS_OF_A_DATABASE = 25
BATCHES_OF_A_POINT, CALLERS = 4, 2
# As many of the calls that a kind counts as a point makes, about.
CALLS_MAX = {"fsync": 16}
CALLS_MAX_DEFAULT = 120
FAILING_CALLS_MAX = 6
STOP_SECONDS_MAX = 30


def build(folder):
    library = folder / "fault_vfs.so"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1",
                    "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("vfs.c")),
                    "-lsqlite3", "-lpthread"], check=True)
    return library


def draw(chance):
    kind = chance.choice(ENDING + PASSING)
    environment = {"FAULT_KIND": kind, "FAULT_SEED": str(chance.randint(1, 1 << 30)),
                   "FAULT_CALL": str(chance.randint(1, CALLS_MAX.get(kind, CALLS_MAX_DEFAULT)))}
    if kind in PASSING:
        environment["FAULT_CALLS"] = str(chance.randint(1, FAILING_CALLS_MAX))
    return kind, environment


def started(server):
    """Whether it serves: a fault that met the opening of the database is said, and ends it."""
    try:
        server.start()
        return True
    except AssertionError:
        assert server.process.poll() is not None, "it neither serves nor ends"
        return False


def run_point(server, promises, numbers, may_end):
    if started(server):
        callers = Callers(server, numbers, CALLERS, may_end)
        callers.finish()
        promises.add(callers)
        if server.process.poll() is None:
            server.process.terminate()  # its last checkpoint may meet the fault, too
            server.process.wait(timeout=STOP_SECONDS_MAX)
    promises.judge(server.folder / "test.db")


def run_database(library, points, chance, tally):
    """Some points on one database; yields what was wrong with each, or None."""
    with Server() as server:
        server.stop()
        promises = Promises()
        for point in range(points):
            kind, environment = draw(chance)
            server.environment = {**os.environ, **environment, "LD_PRELOAD": str(library)}
            numbers = range(point * BATCHES_OF_A_POINT, (point + 1) * BATCHES_OF_A_POINT)
            wrong = None
            try:
                run_point(server, promises, numbers, kind in ENDING)
            except AssertionError as error:
                wrong = " ".join(f"{name}={value}" for name, value in environment.items())
                wrong += f": {error}"
            finally:
                if server.process.poll() is None:
                    server.process.kill()
                    server.process.wait()
                server.process.stdout.close()
                server.log.close()
            tally[kind, "met" if "fault vfs: " in server.errors() else "not met"] += 1
            (server.folder / "serve.err").unlink()
            yield wrong
        server.process = None


def trouble_is_told(library):
    """A full disk: /readyz says so until a commit succeeds."""
    with Server() as server:
        server.stop()
        server.environment = {**os.environ, "LD_PRELOAD": str(library), "FAULT_KIND": "full",
                              "FAULT_CALL": "40", "FAULT_CALLS": "30"}
        server.start()
        client, failed = server.client("ingest"), False
        for number in range(200):
            reply = client.post("/api/v1/scores", scores_of(number))
            ready = server.client().get("/readyz")
            if reply.status == 503:
                failed = True
                assert ready.status == 503 and b"nothing can be stored" in ready.body, ready.body
                assert str(server.folder).encode() not in reply.body + ready.body, "a path is told"
            else:
                assert (reply.status, ready.status) == (200, 200), (reply.body, ready.body)
                if failed:
                    return
        raise AssertionError("the disk was never full, or never free again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, tally = random.Random(options.seed), Counter()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="pairwatch-disk-") as folder:
        library = build(Path(folder))
        try:
            trouble_is_told(library)
            passed += 1
        except AssertionError as error:
            failed += 1
            print(error, flush=True)
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
