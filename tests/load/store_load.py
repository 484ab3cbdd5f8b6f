#!/usr/bin/env python3
"""The store under load, through HTTP: what is written and what is read meanwhile.

    make bench-store [ROWS=10000000]
    tests/load/store_load.py [--rows 10000000]
    tests/load/store_load.py --folder DIR --fill 100000000 [--seconds 400]   until it is full, resumed
    tests/load/store_load.py --folder DIR                                    then measured

Everything is a ratio to something measured in the same run:

    stored          observations/s of POST /api/v1/scores, everything on     ratio to bare_insert.c; in
                    brackets the same of the processor seconds of serve and of the loop, which other
                    programs do not disturb
    stored at the end   the last million                                     ratio to the first million
    get …           milliseconds, median and 99th percentile: idle with a million rows, idle with all
                    of them, and with all of them while two callers post without pause
    patch           the same of an analyst's PATCH, and behind one body of 100,000 scores, of which one
                    in a thousand is flagged, or all are

An observation is one of 5,000 entities and the addresses each has talked to, one in ten of them new;
one in a thousand is flagged, most of them of pairs flagged before. A million lines are made once: the
first million is of thirty days, every further one of a day of its own, so the charts of thirty days
read as many hours in the small store as in the large one. "page" is what a finding's page reads:
the finding, its sightings, its history, and all findings of its entity. The callers stand for other
machines and give way to the reader (nice). PostgreSQL: under tests/postgres, without the bare loop.
"""
import argparse
import ctypes
import http.client
import json
import multiprocessing
import os
import platform
import random
import statistics
import struct
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "api"))

from server import POSTGRES, Server  # noqa: E402

MILLION, BODY_ROWS = 1000000, 10000
ENTITIES, USUAL, FLAGGED_ONE_IN, FLAGGED_PAIRS = 5000, 40, 1000, 2000
CALLERS, READS, PATCHES, CALLERS_NICE = 2, 300, 300, 10
SPREAD_DAYS, LARGE_ROWS, LARGE_BODIES = 30, 100000, 5
SLICE_NS, RESET_ON_FORK = 100000, 1  # SCHED_FLAG_RESET_ON_FORK: callers have no such wish
SETTLE_S = 3  # until runs of pairs are made and the log is in the file
FIRST_DAY = date(2026, 1, 1)
TEMPLATE_DAY = b"2026-01-01"
PATH = "/api/v1/scores?model=load&spec=vpc-egress&threshold=5"
BARE = ROOT / "build" / "release" / "tests" / "load" / "bare_insert"


def line(draw, i):
    entity = draw.randrange(ENTITIES)
    number = draw.randrange(USUAL) if draw.random() < 0.9 else draw.randrange(1 << 20)
    address, score = (entity * 7919 + number * 104729) % (1 << 24), -3 - draw.random() * 5
    if i % FLAGGED_ONE_IN == 0:
        entity = draw.randrange(FLAGGED_PAIRS)
        address, score = entity * 31 % (1 << 24), 6 + draw.random()
    return (f'{{"entity":"i-{entity:017x}","ip":"10.{address >> 16}.{address >> 8 & 255}.{address & 255}",'
            f'"time":"2026-01-01T{i % 24:02}:{i % 60:02}:{i // 7 % 60:02}.{i % 1000:03}Z","count":{1 + i % 5},'
            f'"score":{score:.6f},"percentile":{50 + score * 5:.3f}}}\n')


def template(seed):
    draw = random.Random(seed)
    return ["".join(line(draw, at + i) for i in range(BODY_ROWS)).encode()
            for at in range(0, MILLION, BODY_ROWS)]


def post(connection, token, body):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    while True:
        connection.request("POST", PATH, body, headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status in (200, 201):
            return
        if reply.status != 503:
            sys.exit(f"store_load: {reply.status} {text[:300]}")
        time.sleep(0.05)


def day_of(million, body):
    return FIRST_DAY + timedelta(days=body % SPREAD_DAYS if million == 0 else SPREAD_DAYS + million - 1)


def poster(port, token, bodies, numbers, millions, ended):
    if ended is not None:
        os.nice(CALLERS_NICE)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for million in millions:
        for number in numbers:
            if ended is not None and ended.is_set():
                return
            text = day_of(million, number).isoformat().encode()
            post(connection, token, bodies[number].replace(TEMPLATE_DAY, text))


def post_days(server, bodies, millions, ended=None):
    """Callers that share a million rows at a time; started, and to be joined."""
    callers = [multiprocessing.Process(target=poster, args=(server.port, server.used_tokens["ingest"], bodies,
                                                            range(n, len(bodies), CALLERS), millions, ended))
               for n in range(CALLERS)]
    for caller in callers:
        caller.start()
    return callers


def join(callers):
    for caller in callers:
        caller.join()
        if caller.exitcode != 0:
            sys.exit("store_load: a caller failed")


def processor_seconds(server):
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def store(server, bodies, first, last):
    """The millions first..last-1: how many a second, and how many a second of processor."""
    began, used = time.monotonic(), processor_seconds(server)
    join(post_days(server, bodies, range(first, last)))
    rows = (last - first) * MILLION
    return rows / (time.monotonic() - began), rows / (processor_seconds(server) - used)


def hears_soon():
    """An analyst's browser is on a machine of its own: like the threads that answer it (server/base/thread.c), what
    stands for it wishes for short slices, by sched_setattr, so that no wait for a processor here counts as the server's."""
    number = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
    attributes = struct.pack("IIQiIQQQ", 48, 0, RESET_ON_FORK, 0, 0, SLICE_NS, 0, 0)
    if number is not None:
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)


class Reader:
    """An analyst's requests, one after the other on one connection."""

    def __init__(self, server, millions):
        hears_soon()
        self.client, self.run = server.client("triage"), 0
        until = day_of(millions, 0)
        since = until - timedelta(days=30)
        draw = random.Random(1)
        found = json.loads(self.client.raw("GET", "/api/v1/findings?limit=200").body)["findings"]
        self.requests = {
            "list": lambda: ["/api/v1/findings?limit=50"],
            "by score": lambda: ["/api/v1/findings?sort=score&limit=50"],
            "filter": lambda: [f"/api/v1/findings?entity=i-{draw.randrange(FLAGGED_PAIRS):017x}"],
            "timeseries": lambda: [f"/api/v1/timeseries?since={since}T00:00:00Z&until={until}T00:00:00Z"],
            "summary": lambda: ["/api/v1/summary"],
            "lookup": lambda: [self.pair(draw)],
            "page": lambda: self.page(draw.choice(found)),
            "entity": lambda: self.profile("entities", "entity", self.usual(draw)[0]),
            "address": lambda: self.profile("ips", "ip", self.usual(draw)[1]),
        }

    @staticmethod
    def page(finding):
        at = f"/api/v1/findings/{finding['id']}"
        return [at, f"{at}/sightings", f"{at}/history", f"/api/v1/findings?entity={finding['entity']}&limit=50"]

    @staticmethod
    def usual(draw):
        """A pair seen every day: entity and address."""
        entity, number = draw.randrange(ENTITIES), draw.randrange(USUAL)
        address = (entity * 7919 + number * 104729) % (1 << 24)
        return f"i-{entity:017x}", f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}"

    @classmethod
    def pair(cls, draw):
        entity, address = cls.usual(draw)
        return f"/api/v1/lookup?entity={entity}&ip={address}"

    @staticmethod
    def profile(kind, key, value):
        return [f"/api/v1/{kind}/{value}", f"/api/v1/findings?{key}={value}&sort=score&limit=50"]

    def timed(self, method, path, body=None, headers=None):
        began = time.monotonic()
        reply = self.client.raw(method, path, body, headers)
        if reply.status != 200:
            sys.exit(f"store_load: {path}: {reply.status} {reply.body[:300]}")
        return (time.monotonic() - began) * 1000, reply

    def reads(self):
        taken = {name: [] for name in self.requests}
        for _ in range(READS):
            for name, make in self.requests.items():
                taken[name].append(sum(self.timed("GET", path)[0] for path in make()))
        return {name: percentiles(values) for name, values in taken.items()}

    def patched(self, go_on):
        """Milliseconds of PATCHes, while go_on(how many) says so, of findings that nothing else touches."""
        found = self.client.raw("GET", "/api/v1/findings?q=patched-&limit=200")
        findings, taken = json.loads(found.body)["findings"], []
        tags = {finding["id"]: f'"v{finding["version"]}"' for finding in findings}
        while go_on(len(taken)):
            number = findings[len(taken) % len(findings)]["id"]
            milliseconds, reply = self.timed(
                "PATCH", f"/api/v1/findings/{number}", json.dumps({"tags": [f"t{len(taken)}-{self.run}"]}).encode(),
                {"Content-Type": "application/merge-patch+json", "If-Match": tags[number]})
            tags[number] = reply.headers["etag"]
            taken.append(milliseconds)
        self.run += 1
        return taken

    def patches(self):
        return percentiles(self.patched(lambda count: count < PATCHES))


def percentiles(values):
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


def memory(server, what):
    for text in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if text.startswith(what):
            return int(text.split()[1]) / 1024
    return 0.0


def file_bytes(server):
    if POSTGRES:
        sql = ("SELECT SUM(pg_total_relation_size(c.oid)) FROM pg_class c"
               " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'")
        return int(subprocess.run(["psql", "-qXAt", server.database, "-c", sql], check=True,
                                  capture_output=True, text=True).stdout)
    return (server.folder / "test.db").stat().st_size


def bare(server):
    path = server.folder / "bare.db"
    done = subprocess.run([BARE, path, str(MILLION)], check=True, capture_output=True)
    for file in server.folder.glob("bare.db*"):
        file.unlink()
    return tuple(float(word) for word in done.stdout.split())


def show(name, text):
    print(f"  {name:<34} {text}", flush=True)


def show_reads(idle_small, idle, busy):
    for name, (median, tail) in idle.items():
        small, loaded = idle_small.get(name), busy.get(name)
        show(name, f"{median:7.1f} ({tail:7.1f}) ms"
             + (f"   {median / small[0]:5.2f} ({tail / small[1]:5.2f}) x a million rows" if small else "")
             + (f"   {loaded[0]:7.1f} ({loaded[1]:7.1f}) ms busy, {loaded[1] / tail:5.2f} x idle" if loaded else ""))


def show_rate(name, rate, against=None, what=""):
    ratio = [f"{mine / theirs:5.2f}" for mine, theirs in zip(rate, against)] if against else []
    show(name, f"{rate[0]:11,.0f} /s  {rate[1]:11,.0f} /s of processor"
         + (f"   {ratio[0]} ({ratio[1]}) x {what}" if against else ""))


def given_patched(server):
    """Findings that nothing but the analyst touches."""
    apart = "".join(f'{{"entity":"patched-{n}","ip":"192.0.2.1","time":"2026-01-01T00:00:00Z","score":9}}\n'
                    for n in range(100))
    post(http.client.HTTPConnection("127.0.0.1", server.port), server.used_tokens["ingest"], apart.encode())


def large_body(number, flagged):
    """A body of LARGE_ROWS; all flagged: pairs that were never seen."""
    draw = random.Random(number)
    lines = [line(draw, number * LARGE_ROWS + i) for i in range(LARGE_ROWS)]
    if flagged:
        lines = [f'{{"entity":"new-{number}-{i}","ip":"192.0.2.7","time":"2026-01-01T00:00:00Z","score":8}}\n'
                 for i in range(LARGE_ROWS)]
    return "".join(lines).encode()


def post_one(port, token, body):
    os.nice(CALLERS_NICE)
    post(http.client.HTTPConnection("127.0.0.1", port, timeout=120), token, body)


def behind_large_bodies(server, reader, flagged, bodies):
    for number in range(bodies):
        caller = multiprocessing.Process(
            target=post_one, args=(server.port, server.used_tokens["ingest"], large_body(number, flagged)))
        began = time.monotonic()
        caller.start()
        taken = reader.patched(lambda _: caller.is_alive())
        join([caller])
        seconds = time.monotonic() - began
        show(f"patch behind {LARGE_ROWS:,}" + (", all flagged" if flagged else ""),
             f"at most {max(taken):6.1f} ms of {len(taken)} in {seconds:.1f} s")


def measure_reads(server, bodies, millions, small):
    time.sleep(SETTLE_S)
    reader = Reader(server, millions)
    idle = {**reader.reads(), "patch": reader.patches()}
    ended = multiprocessing.Event()
    callers = post_days(server, bodies, range(millions, millions + 1000), ended)
    time.sleep(1)
    busy = {**reader.reads(), "patch": reader.patches()}
    ended.set()
    join(callers)
    print(f"  median (99th percentile) with {millions * MILLION:,} rows:")
    show_reads(small, idle, busy)
    show("memory of serve", f"{memory(server, 'VmRSS'):8.0f} MiB, at most {memory(server, 'VmHWM'):.0f}")
    behind_large_bodies(server, reader, False, LARGE_BODIES)
    behind_large_bodies(server, reader, True, 1)
    show("with bodies of 100,000, too", f"{memory(server, 'VmRSS'):8.0f} MiB, at most {memory(server, 'VmHWM'):.0f}")


def measure(server, rows):
    bodies, millions = template(1), rows // MILLION
    given_patched(server)
    loops = [] if POSTGRES else [bare(server)]
    first = store(server, bodies, 0, 1)
    loops += [] if POSTGRES else [bare(server)]
    loop = [statistics.mean(values) for values in zip(*loops)]
    if loop:
        show_rate("bare insert loop", loop)
    show_rate("stored, the first million", first, loop, "bare")
    time.sleep(SETTLE_S)
    small = Reader(server, 1).reads()
    if millions > 2:
        show_rate(f"stored, to {millions - 1} million", store(server, bodies, 1, millions - 1))
    last = store(server, bodies, millions - 1, millions) if millions > 1 else first
    show_rate("stored, the last million", last, first, "the first")
    if not POSTGRES:
        show_rate("the last million, again", last, bare(server), "bare")
    show("bytes an observation", f"{file_bytes(server) / rows:12.1f}")
    measure_reads(server, bodies, millions, small)


# ---- a store that is kept ----

class Kept(Server):
    """In a folder that stays: filled in several runs, and measured in another."""

    def __init__(self, folder):
        super().__init__()
        self.folder.rmdir()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = f"sqlite:{self.folder / 'test.db'}"

    def __enter__(self):
        for role in ("ingest", "read", "triage"):
            self.used_tokens[role] = self.make_token(f"{role}-{time.time_ns()}", role)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def millions(self):
        path = self.folder / "millions"
        return int(path.read_text()) if path.exists() else 0

    def fill(self, rows, seconds):
        bodies, until = template(1), time.monotonic() + seconds
        if self.millions() == 0:
            given_patched(self)
        while self.millions() < rows // MILLION and time.monotonic() < until:
            done = self.millions()
            rate = store(self, bodies, done, done + 1)
            (self.folder / "millions").write_text(str(done + 1))
            show_rate(f"stored, million {done + 1}", rate)
        show("bytes an observation", f"{file_bytes(self) / MILLION / self.millions():12.1f}")
        show("memory of serve", f"{memory(self, 'VmRSS'):8.0f} MiB, at most {memory(self, 'VmHWM'):.0f}")


def measure_kept(folder):
    bodies = template(1)
    with Server() as server:
        given_patched(server)
        store(server, bodies, 0, 1)
        time.sleep(SETTLE_S)
        small = Reader(server, 1).reads()
    with Kept(folder) as server:
        show("bytes an observation", f"{file_bytes(server) / MILLION / server.millions():12.1f}")
        measure_reads(server, bodies, server.millions(), small)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=int(os.environ.get("PAIRWATCH_BENCH_ROWS", 10 * MILLION)))
    parser.add_argument("--folder")
    parser.add_argument("--fill", type=int)
    parser.add_argument("--seconds", type=int, default=400)
    options = parser.parse_args()
    if options.fill is not None:
        with Kept(options.folder) as server:
            server.fill(options.fill, options.seconds)
    elif options.folder is not None:
        measure_kept(options.folder)
    else:
        with Server() as server:
            measure(server, max(MILLION, options.rows // MILLION * MILLION))


if __name__ == "__main__":
    main()
