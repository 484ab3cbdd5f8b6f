"""A network to PostgreSQL that breaks at a random byte: what was acknowledged is stored, what was not
is stored whole or not at all, and nobody has to put anything right.

    tests/postgres python3 tests/fault/wire.py [--points 30] [--seed 1]

The server reaches PostgreSQL through a proxy. At each point the proxy breaks something after a random
number of bytes in one direction, while callers post batches and write notes; all of them must be
answered in the end, without a restart. The database is then copied to a file and judged as a disk
that failed is (promises.py). What can break: the connection that carries the byte, before or after a
part of its packet is through (a COMMIT may have been done, and its answer lost); all connections, and
new ones are refused for a while; nothing gets through for a while."""
import argparse
import random
import re
import select
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
from promises import Callers, Promises, copy_of_postgres  # noqa: E402
from server import POSTGRES, Server  # noqa: E402

KINDS = ("cut", "cut all", "stall")
DIRECTIONS = ("to PostgreSQL", "from PostgreSQL")
BATCHES_OF_A_POINT, CALLERS = 4, 2
# About as many bytes as a point sends and gets.
BYTES_MAX = {"to PostgreSQL": 40000, "from PostgreSQL": 30000}
AWAY_SECONDS_MAX = 1.5
POINTS_OF_A_DATABASE = 10
CHUNK_BYTES = 16384


class Proxy:
    """Passes bytes between callers and a server, until it is told to break something."""

    def __init__(self, to):
        self.to, self.lock = to, threading.Lock()
        self.pairs, self.plan, self.count, self.away_until, self.met = [], None, 0, 0, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends, self.ended = socket.socketpair()
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def arm(self, plan):
        with self.lock:
            self.plan, self.count, self.met = plan, 0, False

    def close(self):
        self.ends.close()
        self.thread.join()
        self.listener.close()
        self.ended.close()
        self.cut_all()

    def accept(self):
        while self.ended not in select.select([self.listener, self.ended], [], [])[0]:
            caller, _ = self.listener.accept()
            if time.monotonic() < self.away_until:
                caller.close()
                continue
            try:
                server = socket.create_connection(self.to)
            except OSError:
                caller.close()
                continue
            pair = (caller, server)
            with self.lock:
                self.pairs.append(pair)
            for one, other, way in ((caller, server, DIRECTIONS[0]), (server, caller, DIRECTIONS[1])):
                threading.Thread(target=self.pass_on, args=(one, other, way, pair),
                                 daemon=True).start()

    def pass_on(self, one, other, way, pair):
        try:
            while data := one.recv(CHUNK_BYTES):
                self.wait()
                through = self.breaks(data, way)
                if through is not None:
                    other.sendall(data[:through])
                    return
                other.sendall(data)
        except OSError:
            pass
        finally:
            self.cut(pair)

    def wait(self):
        while (left := self.away_until - time.monotonic()) > 0 and self.plan["kind"] == "stall":
            time.sleep(left)

    def breaks(self, data, way):
        """How many bytes still get through, when this connection ends here."""
        with self.lock:
            if self.plan is None or self.met or way != self.plan["way"]:
                return None
            self.count += len(data)
            if self.count < self.plan["byte"]:
                return None
            self.met = True
            kind, through = self.plan["kind"], self.plan["byte"] - (self.count - len(data))
            if kind != "cut":
                self.away_until = time.monotonic() + self.plan["away"]
        if kind == "stall":
            self.wait()
            return None
        if kind == "cut all":
            self.cut_all()
        return through if self.plan["partly"] else 0

    def cut_all(self):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.cut(pair)

    def cut(self, pair):
        with self.lock:
            if pair not in self.pairs:
                return
            self.pairs.remove(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_WR)  # what was passed on arrives
            except OSError:
                pass
            # With a reset, as a host that is gone answers.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


def draw(chance):
    way = chance.choice(DIRECTIONS)
    return {"kind": chance.choice(KINDS), "way": way, "byte": chance.randint(1, BYTES_MAX[way]),
            "partly": chance.random() < 0.5, "away": chance.uniform(0.1, AWAY_SECONDS_MAX)}


def through(proxy, url):
    return re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{proxy.port}", url)


def run_database(points, chance, tally, folder):
    """Some points on one schema; yields what was wrong with each, or None."""
    with Server() as server:
        server.stop()
        direct = server.database
        proxy = Proxy(("127.0.0.1", int(re.search(r"@127\.0\.0\.1:(\d+)", direct)[1])))
        try:
            server.database = through(proxy, direct)
            server.start()
            promises = Promises()
            for point in range(points):
                plan, wrong = draw(chance), None
                proxy.arm(plan)
                try:
                    numbers = range(point * BATCHES_OF_A_POINT, (point + 1) * BATCHES_OF_A_POINT)
                    callers = Callers(server, numbers, CALLERS)
                    callers.finish()
                    promises.add(callers)
                    assert len(callers.acknowledged) == BATCHES_OF_A_POINT, "not all were answered"
                    path = folder / "copy.db"
                    copy_of_postgres(direct, path)
                    promises.judge(path)
                    path.unlink()
                except AssertionError as error:
                    wrong = f"{plan}: {error}"
                tally[plan["kind"], plan["way"], "met" if proxy.met else "not met"] += 1
                yield wrong
            server.stop()
        finally:
            server.database = direct
            proxy.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    assert POSTGRES, "TEST_POSTGRES names no server: run it with tests/postgres"
    chance, tally = random.Random(options.seed), Counter()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="pairwatch-wire-") as folder:
        left = options.points
        while left > 0:
            points = min(left, POINTS_OF_A_DATABASE)
            for wrong in run_database(points, chance, tally, Path(folder)):
                passed, failed = passed + (wrong is None), failed + (wrong is not None)
                if wrong is not None:
                    print(wrong, flush=True)
            left -= points
    for (kind, way, met), count in sorted(tally.items()):
        print(f"{kind} {way}: {count} {met}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not any(met == "met" for _, _, met in tally) else 0


if __name__ == "__main__":
    sys.exit(main())
