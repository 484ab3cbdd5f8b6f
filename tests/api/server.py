"""Starts the real binary on a free port with a database of its own, and talks to it.

The database is a SQLite file, or a schema of the server that TEST_POSTGRES names."""
import base64
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

from contract import ROOT, Contract

BINARY = Path(os.environ.get("PAIRWATCH_BINARY", ROOT / "build" / "release" / "pairwatch")).resolve()
POSTGRES = os.environ.get("TEST_POSTGRES")
START_SECONDS_MAX = 20
REPLY_SECONDS_MAX = 20
CONTRACT = Contract()


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.value = None

    @property
    def type(self):
        return self.headers.get("content-type", "")


class Client:
    """One caller: a token, a cookie session, or nobody. Every reply is checked by the contract."""

    def __init__(self, port, token=None, cookie=None, csrf=None):
        self.port, self.token, self.cookie, self.csrf = port, token, cookie, csrf
        self.connection = None

    def _headers(self, method, headers):
        out = {}
        if self.token:
            out["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            out["Cookie"] = f"pairwatch_session={self.cookie}"
            if self.csrf and method not in ("GET", "HEAD"):
                out["X-CSRF-Token"] = self.csrf
        out.update(headers or {})
        return {name: value for name, value in out.items() if value is not None}

    def raw(self, method, path, body=None, headers=None):
        """A reply as it came. Reconnects once when the server closed an idle connection."""
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.port, timeout=REPLY_SECONDS_MAX
                )
            try:
                self.connection.request(method, path, body, self._headers(method, headers))
                got = self.connection.getresponse()
                data = got.read()
                reply = Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, data)
                if got.will_close:
                    self.close()
                return reply
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if attempt == 2:
                    raise

    def __del__(self):
        self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def call(self, method, path, value=None, type="application/json", headers=None, body=None):
        """Sends a JSON value (or bytes as they are); the reply's value has passed the contract."""
        sent = dict(headers or {})
        if value is not None:
            body = json.dumps(value).encode()
        if body is not None and type is not None:
            sent.setdefault("Content-Type", type)
        reply = self.raw(method, path, body, sent)
        reply.value = CONTRACT.check_reply(method, path, reply.status, reply.type, reply.body)
        return reply

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, value=None, **more):
        return self.call("POST", path, value, **more)

    def patch(self, path, value, match=None, type="application/merge-patch+json", headers=None):
        sent = dict(headers or {})
        if match is not None:
            sent["If-Match"] = match
        return self.call("PATCH", path, value, type=type, headers=sent)


class Server:
    """`with Server() as server`: the process, its folder, and an administrator's client."""

    def __init__(self, *arguments, binary=BINARY):
        self.binary, self.arguments = binary, arguments
        self.folder = temp_folder("api")
        self.database = f"sqlite:{self.folder / 'test.db'}"
        if POSTGRES:
            self.schema = "api_" + re.sub("[^a-z0-9]", "_", self.folder.name.lower())
            self.database = f"{POSTGRES}?options=-csearch_path%3D{self.schema}"
            if "," in POSTGRES:  # several hosts
                self.database += "&target_session_attrs=read-write"
            self.execute(f"CREATE SCHEMA {self.schema}")
        self.process = None
        self.environment = None  # of the process, where it is not this one's
        self.password = "a long enough password"
        self.used_tokens = {}

    def execute(self, sql):
        """SQL behind the program's back."""
        if POSTGRES:
            subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", self.database, "-c", sql],
                           check=True, timeout=60)
            return
        with sqlite3.connect(self.folder / "test.db") as db:
            db.execute(sql)

    def stored(self):
        """Everything the database holds, as bytes."""
        if POSTGRES:
            def psql(*commands):
                flags = [word for command in commands for word in ("-c", command)]
                return subprocess.run(["psql", "-qXAt", self.database, *flags], check=True,
                                      timeout=60, capture_output=True, text=True).stdout

            tables = psql("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
            return psql("SET bytea_output = 'escape'",
                        *(f'SELECT * FROM "{table}"' for table in tables.split())).encode()
        return b"".join(path.read_bytes() for path in self.folder.iterdir())

    def command(self, *arguments, input=None, check=True):
        """Runs a subcommand against this database."""
        done = subprocess.run(
            [str(self.binary), *arguments, "--database", self.database],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: exit {done.returncode}: {done.stderr}")
        return done

    def start(self):
        self.log = open(self.folder / "serve.err", "ab")
        self.process = subprocess.Popen(
            [str(self.binary), "serve", "--listen", "127.0.0.1:0", "--database", self.database,
             *self.arguments],
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=self.folder,
            env=self.environment,
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.printed = ""
        deadline = time.monotonic() + START_SECONDS_MAX
        while (found := re.search(r"https?://127\.0\.0\.1:(\d+)", self.printed)) is None:
            self.printed += (self.process.stdout.read() or b"").decode()
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"serve did not start: {self.printed}{self.errors()}")
            time.sleep(0.02)
        self.port = int(found.group(1))

    def errors(self):
        return (self.folder / "serve.err").read_text(errors="replace")

    def stop(self):
        """SIGTERM ends it cleanly, within the time limit."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        return code

    def __enter__(self):
        try:
            for name, role in (("root", "admin"), ("tess", "triage"), ("rita", "read")):
                self.command("user", "add", name, "--role", role, input=self.password + "\n")
            for role in ("ingest", "read", "triage", "admin", "notify"):
                self.used_tokens[role] = self.make_token(f"test-{role}", role)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        self.admin = self.client("admin")
        return self

    def __exit__(self, *_):
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            if POSTGRES:
                self.execute("SET client_min_messages = warning;"
                             f" DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    def make_token(self, name, role):
        done = self.command("token", "create", name, "--role", role)
        return re.search(r"pw_[A-Za-z0-9_-]+", done.stdout).group(0)

    def client(self, role=None):
        return Client(self.port, token=self.used_tokens.get(role))

    def sign_in(self, name="root", password=None):
        reply = Client(self.port).post(
            "/api/v1/session", {"name": name, "password": password or self.password}
        )
        if reply.status != 201:
            raise AssertionError(f"sign-in: {reply.status} {reply.body}")
        cookie = re.match(r"pairwatch_session=([^;]+)", reply.headers["set-cookie"]).group(1)
        return Client(self.port, cookie=cookie, csrf=reply.value["csrf_token"])


def score(entity="i-0a", ip="192.0.2.7", time="2026-11-24T08:00:00.000Z", **more):
    row = {"entity": entity, "ip": ip, "time": time}
    row.update(more if {"score", "dot_product"} & more.keys() else {"score": 1.0, **more})
    return row


def batch(*scores, model="outside-1", spec="vpc-egress", threshold=0.5, **more):
    return {"model": model, "spec": spec, "threshold": threshold, "scores": list(scores), **more}


def gzipped(value):
    return gzip.compress(json.dumps(value).encode())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
