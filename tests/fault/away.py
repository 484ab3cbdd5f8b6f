"""PostgreSQL that is there and does not answer: partitioned away, or with no connection left. A request is
answered in bounded time, nothing that was acknowledged is lost, and the server goes on by itself.

    tests/postgres python3 tests/fault/away.py

The partition is one of dropped packets, not of refused ones: the kernel lets nothing that comes from the
server under test through to the proxy, so it neither hears of a reset nor of an end."""
import ctypes
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
from promises import Callers, Promises, copy_of_postgres, scores_of  # noqa: E402
from server import POSTGRES, Server  # noqa: E402
from wire import Proxy, through  # noqa: E402

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# As the defaults, and much more impatient.
IMPATIENT = ("connect_timeout=2&tcp_user_timeout=2000"
             "&keepalives_idle=1&keepalives_interval=1&keepalives_count=1")
ANSWER_SECONDS_MAX = 20  # a request's own deadline, and what is waited for after it
AGAIN_SECONDS_MAX = 20


class Partition(Proxy):
    """A proxy whose side towards the callers can be cut off from the network."""

    DROP = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0

    def sockets(self):
        with self.lock:
            return [self.listener] + [caller for caller, _ in self.pairs]

    def begin(self):
        program = struct.pack("HL", 1, ctypes.addressof(self.DROP))
        for each in self.sockets():
            each.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def end(self):
        for each in self.sockets():
            try:
                each.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            except OSError:
                pass  # it has ended meanwhile


def timed(call):
    began = time.monotonic()
    status = call().status
    return status, time.monotonic() - began


def goes_on(server):
    """Until a batch is stored again, without a restart."""
    until = time.monotonic() + AGAIN_SECONDS_MAX
    while (status := server.client("ingest").raw("GET", "/readyz").status) != 200:
        assert time.monotonic() < until, f"/readyz still says {status}"
        time.sleep(0.1)


def answered(server, number):
    """A reading, a probe and a batch at the same time: each is told in time that it is to come again."""
    took = {}

    def ask(name, role, method, path, value=None):
        client = server.client(role)
        took[name] = timed(lambda: client.call(method, path, value))

    asked = [("read", "read", "GET", "/api/v1/findings?limit=1"), ("ready", None, "GET", "/readyz"),
             ("batch", "ingest", "POST", "/api/v1/scores", scores_of(number))]
    threads = [threading.Thread(target=ask, args=each) for each in asked]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print({name: f"{status} after {seconds:.1f} s" for name, (status, seconds) in took.items()})
    assert len(took) == len(asked), "not all were answered"
    for name, (status, seconds) in took.items():
        assert status == 503, f"{name}: {status}"
        assert seconds < ANSWER_SECONDS_MAX, f"{name}: answered after {seconds:.1f} s"


def stored(server, direct, promises, number):
    callers = Callers(server, [number], 1)
    callers.finish()
    promises.add(callers)
    path = server.folder / f"copy-{number}.db"
    copy_of_postgres(direct, path)
    promises.judge(path)


def partitioned():
    with Server() as server:
        server.stop()
        direct = server.database
        proxy = Partition(("127.0.0.1", int(re.search(r"@127\.0\.0\.1:(\d+)", direct)[1])))
        promises = Promises()
        try:
            server.database = through(proxy, direct) + "&" + IMPATIENT
            server.start()
            stored(server, direct, promises, 1)
            proxy.begin()
            answered(server, 2)
            proxy.end()
            goes_on(server)
            stored(server, direct, promises, 3)
            waits_for_its_turn(server, proxy, direct)
            goes_on(server)
            stored(server, direct, promises, 5)
            server.stop()
        finally:
            proxy.end()
            server.database = direct
            proxy.close()


def waits_for_its_turn(server, proxy, direct):
    """Cut off while the answer is waited for: nothing that was sent is unconfirmed, so only probes tell."""
    lock = ("BEGIN; SELECT pg_advisory_xact_lock(112114, hashtext(COALESCE(current_schema(), '')));"
            f" SELECT pg_sleep({ANSWER_SECONDS_MAX})")
    other = subprocess.Popen(["psql", "-qX", direct, "-c", lock], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        client, got = server.client("ingest"), []
        thread = threading.Thread(target=lambda: got.append(
            timed(lambda: client.call("POST", "/api/v1/scores", scores_of(4)))))
        thread.start()
        time.sleep(1)
        assert not got, f"it did not wait: {got}"
        proxy.begin()
        thread.join()
        print(f"waiting for its turn: {got[0][0]} after {got[0][1]:.1f} s")
        assert got[0][0] == 503 and got[0][1] < ANSWER_SECONDS_MAX, got
    finally:
        other.kill()
        other.wait()
        proxy.end()


def psql(*commands):
    flags = [word for command in commands for word in ("-c", command)]
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", POSTGRES, *flags], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)


def out_of_connections():
    """No connection is left for this user: told, waited for, and gone on from."""
    with Server() as server:
        server.stop()
        direct, user = server.database, server.schema
        psql(f"CREATE ROLE {user} LOGIN", f"ALTER SCHEMA {server.schema} OWNER TO {user}",
             f"GRANT ALL ON SCHEMA {server.schema} TO {user}",
             f"GRANT ALL ON ALL TABLES IN SCHEMA {server.schema} TO {user}",
             f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {server.schema} TO {user}")
        try:
            server.database = re.sub(r"//[^@]*@", f"//{user}@", direct)
            server.start()
            promises = Promises()
            stored(server, direct, promises, 1)
            psql(f"ALTER ROLE {user} CONNECTION LIMIT 0",
                 f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")
            answered(server, 2)
            psql(f"ALTER ROLE {user} CONNECTION LIMIT -1")
            goes_on(server)
            stored(server, direct, promises, 3)
            server.stop()
        finally:
            server.database = direct
            psql(f"ALTER ROLE {user} CONNECTION LIMIT -1")
            if server.process is not None:
                server.process.kill()
                server.process.wait()
            psql(f"REASSIGN OWNED BY {user} TO CURRENT_USER", f"DROP OWNED BY {user}",
                 f"DROP ROLE {user}")


def main():
    assert POSTGRES, "TEST_POSTGRES names no server: run it with tests/postgres"
    failed = 0
    for each in (partitioned, out_of_connections):
        try:
            each()
        except AssertionError as error:
            failed += 1
            print(f"{each.__name__}: {error}", flush=True)
    print(f"{2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
