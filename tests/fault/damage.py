"""A damaged page, a reader that never ends, a clock that is put back: what is told, what goes on.

    python3 tests/fault/damage.py

Damage is found by whoever meets it and said by `check`, by the answer and by /readyz; what does not touch
it is still there, and `restore` leads back. While somebody reads an old state, SQLite's log grows: that
is told as a number, and it shrinks when the reading ends. When the wall clock is put back, numbers go on
and nobody waits for it to catch up."""
import http.client
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from promises import Callers, Promises, scores_of  # noqa: E402
from server import BINARY, Server, batch, score  # noqa: E402

PAGE_BYTES = 8192
LOG_BYTES_GROWN, LOG_BYTES_LEFT = 16 << 20, (64 << 20) + PAGE_BYTES
EVENT_SECONDS_MAX = 10
DAY = 86400


def pages_of(path, name):
    """Leaf pages of a table or index."""
    db = sqlite3.connect(path)
    pages = [page for (page,) in db.execute(
        "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (name,))]
    db.close()
    return pages


def spoil(path, pages):
    with open(path, "r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE_BYTES)
            file.write(os.urandom(PAGE_BYTES))


def run(*arguments):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def checkpoint(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def damaged_page():
    with Server() as server:
        path, promises = server.folder / "test.db", Promises()
        (server.folder / "copies").mkdir()
        for numbers in (range(20), range(20, 30)):
            callers = Callers(server, numbers, 2)
            callers.finish()
            promises.add(callers)
            if numbers.start == 0:
                server.command("backup", "--backup-dir", str(server.folder / "copies"))
        checkpoint(path)
        spoil(path, pages_of(path, "finding"))  # while it is open and in use
        checked = server.command("check", "store", check=False)
        assert checked.returncode == 1 and "FAULT" in checked.stdout, checked.stdout
        client = server.client("ingest")
        replies = [client.post("/api/v1/scores", scores_of(number)) for number in range(40, 44)]
        assert all(reply.status in (200, 500, 503) for reply in replies), replies
        assert any(reply.status != 200 for reply in replies), "nothing met the damage"
        ready = server.client().get("/readyz")
        assert ready.status == 503 and b"damaged" in ready.body, ready.body
        # What lies elsewhere is still told.
        reader = server.client("read")
        assert reader.get("/api/v1/changes?after=0&limit=1").status == 200
        rows = sum(hour["observations"] for hour in reader.get(
            "/api/v1/timeseries?since=2026-11-20T00:00:00Z&until=2026-11-25T00:00:00Z&bucket=hour"
        ).value["buckets"])
        assert rows >= 30 * 40, f"{rows} observations are counted"
        server.stop()
        leads_back(server, path, promises)


def leads_back(server, path, promises):
    """The copy, and what came after it sent again under its key."""
    manifest = next((server.folder / "copies").glob("*.json"))
    for each in server.folder.glob("test.db*"):
        each.rename(each.with_suffix(".damaged" + each.suffix))
    back = run("restore", str(manifest), "--database", server.database)
    assert back.returncode == 0, back.stderr
    server.start()
    callers = Callers(server, range(30), 2)
    callers.finish()
    promises.notes.clear()  # those after the copy were people's
    promises.add(callers)
    server.command("check", "store")
    server.stop()
    promises.judge(path)


def metric(server, name):
    text = server.client("read").get("/metrics").body.decode()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def long_reader():
    with Server() as server:
        path = server.folder / "test.db"
        log = path.with_name("test.db-wal")
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        before = reader.execute("SELECT COUNT(*) FROM change").fetchone()
        client, number = server.client("ingest"), 0
        while log.stat().st_size < LOG_BYTES_GROWN:
            reply = client.post("/api/v1/scores", scores_of(number))
            assert reply.status == 200, reply.body  # it waits for nobody
            number += 1
        assert metric(server, "pairwatch_database_log_bytes") >= LOG_BYTES_GROWN
        assert server.client().get("/readyz").status == 200
        assert reader.execute("SELECT COUNT(*) FROM change").fetchone() == before
        reader.execute("COMMIT")
        reader.close()
        grown = log.stat().st_size
        for more in range(number, number + 20):
            assert client.post("/api/v1/scores", scores_of(more)).status == 200
            time.sleep(0.05)
        # It is written from its start again.
        assert log.stat().st_size <= max(grown, LOG_BYTES_LEFT), "the log goes on growing"
        file = path.stat().st_size
        assert file > PAGE_BYTES * 100, f"the log did not go into the file of {file} bytes"


def stream(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=EVENT_SECONDS_MAX)
    connection.request("GET", "/api/v1/stream", headers={
        "Authorization": f"Bearer {server.used_tokens['read']}", "Accept": "text/event-stream"})
    return connection, connection.getresponse()


def next_event(reply):
    while not (line := reply.readline().decode()).startswith("id:"):
        assert line, "the stream ended"
    return int(line.split()[1])


def clock_put_back():
    with tempfile.TemporaryDirectory(prefix="pairwatch-clock-") as folder, Server() as server:
        step, library = Path(folder) / "step", Path(folder) / "clock.so"
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1",
                        "-shared", "-fPIC", "-o", str(library),
                        str(Path(__file__).with_name("clock.c"))], check=True)
        server.stop()
        step.write_text("0")
        server.environment = {**os.environ, "LD_PRELOAD": str(library), "CLOCK_STEP": str(step),
                              "ASAN_OPTIONS": "verify_asan_link_order=0"}
        server.start()
        ingest, reader, browser = server.client("ingest"), server.client("read"), server.sign_in()
        connection, events = stream(server)
        said, seqs = {}, []
        for number, seconds in enumerate((0, -3 * DAY, -2 * DAY, 0)):
            step.write_text(str(seconds))
            for again in (number, 0):  # a new batch, and the first one again
                reply = ingest.post("/api/v1/scores", batch(score(ip=f"192.0.2.{again}", score=9.0)),
                                    headers={"Idempotency-Key": f"k{again}"})
                assert reply.status == 200, reply.body
                counted = {name: reply.value[name] for name in ("observations", "findings_new")}
                assert reply.value["repeated"] == (again in said), reply.body
                assert said.setdefault(again, counted) == counted, "a repetition counted"
            seqs.append(next_event(events))
            while len(seqs) > 1 and seqs[-1] <= seqs[-2]:
                seqs[-1] = next_event(events)
            for _ in range(30):
                assert reader.get("/api/v1/findings?limit=1").status == 200
            assert browser.get("/api/v1/session").status == 200, "the sign-in was lost"
            gone = server.command("retention", "--keep-observations", "90d", "--keep-findings", "90d",
                                  "--keep-changes", "90d")
            assert gone.returncode == 0
        found = reader.get("/api/v1/findings").value["findings"]
        assert sorted((f["ip"], f["sightings"]) for f in found) == [
            (f"192.0.2.{n}", 1) for n in range(4)], found
        changes = [c["seq"] for c in reader.get("/api/v1/changes?after=0").value["changes"]]
        assert changes == list(range(1, len(changes) + 1)), changes
        server.command("check", "store")
        connection.close()


def main():
    failed, tests = 0, (damaged_page, long_reader, clock_put_back)
    for each in tests:
        try:
            each()
        except AssertionError as error:
            failed += 1
            print(f"{each.__name__}: {error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
