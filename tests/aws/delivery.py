"""A server to deliver to, trouble on the way to it, and what a database holds in the end."""
import http.client
import http.server
import json
import re
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing

from kit import BINARY

START_SECONDS_MAX = 20

# Everything of an object's results but the ids that the order of arrival makes.
HELD = {
    "objects": """select bucket, key, etag, size_bytes, rows, pairs, scored, unscored, error_code, error, attempts
        from object""",
    "observations": """select e.uid, s.name, hex(o.ip), m.uid, b.key, b.etag, o.first_ms, o.last_ms, o.count, o.score,
        o.percentile, o.finding_id is not null
        from observation o join entity e on e.id = o.entity_id join spec s on s.id = o.spec_id
        join model m on m.id = o.model_id left join object b on b.id = o.object_id""",
    "findings": """select e.uid, s.name, f.ip_text, f.status, f.score, f.percentile, f.rank, f.entity_known, f.first_seen_ms,
        f.last_seen_ms, f.sightings, f.observations, f.account, f.region, x.body
        from finding f join entity e on e.id = f.entity_id join spec s on s.id = f.spec_id
        left join explanation x on x.finding_id = f.id""",
    "rollups": """select r.hour_ms, s.name, r.observations, r.events, r.flagged, hex(r.histogram), r.unknown_entities,
        r.unseen_networks from rollup_hour r join spec s on s.id = r.spec_id""",
    "thresholds": """select s.name, t.threshold from model_spec t join spec s on s.id = t.spec_id""",
}


def held(path):
    """What is stored, sorted; explanations as values rather than as text."""
    out = {}
    with closing(sqlite3.connect(path)) as db:
        for name, sql in HELD.items():
            rows = db.execute(sql).fetchall()
            if name == "findings":
                rows = [(*row[:-1], json.dumps(json.loads(row[-1] or "null"), sort_keys=True)) for row in rows]
            out[name] = sorted(rows, key=repr)
    return out


class Serve:
    """`pairwatch serve` on a database of its own, that can be killed and started again on its port."""

    def __init__(self, folder, name, *arguments):
        self.folder, self.path, self.arguments = folder, folder / name, arguments
        self.database, self.port, self.process = f"sqlite:{self.path}", 0, None
        self.start()
        self.token = self.make_token("worker", "ingest")

    def make_token(self, name, role):
        done = subprocess.run([BINARY, "token", "create", name, "--role", role, "--database", self.database],
                              capture_output=True, text=True, timeout=60, check=True)
        return re.search(r"pw_[A-Za-z0-9_-]+", done.stdout).group(0)

    def start(self):
        self.log = open(self.path.with_suffix(".log"), "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--database", self.database, *self.arguments],
            stdout=subprocess.PIPE, stderr=self.log, cwd=self.folder)
        line, deadline = b"", time.monotonic() + START_SECONDS_MAX
        while not re.search(rb"127\.0\.0\.1:\d+", line):
            line = self.process.stdout.readline()
            assert line or time.monotonic() < deadline, self.path.with_suffix(".log").read_text()
        self.port = int(re.search(rb"127\.0\.0\.1:(\d+)", line).group(1))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)
        self.process.stdout.close()
        self.log.close()


class Trouble(http.server.ThreadingHTTPServer):
    """Between a worker and the server. What `plan` gives for the n-th request happens to it: nothing, a status with
    headers, "cut" (the connection breaks half-way through the request), "lost" (the server answers, and nobody
    hears it), a function to call first."""

    def __init__(self, port_of, plan):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port_of, self.plan, self.count, self.seen, self.guard = port_of, plan, 0, [], threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next(self, handler):
        with self.guard:
            self.count += 1
            self.seen.append((time.monotonic(), handler.path, dict(handler.headers)))
            return self.plan(self.count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request, client_address):
        pass  # connections break here on purpose


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        fate = self.server.next(self)
        if fate == "cut":
            self.rfile.read(16)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if callable(fate):
            fate = fate(body)
        if isinstance(fate, tuple):
            self.answer(fate[0], fate[1], b"busy")
            return
        out = http.client.HTTPConnection("127.0.0.1", self.server.port_of(), timeout=60)
        try:
            out.request("POST", self.path, body, dict(self.headers))
            reply = out.getresponse()
            data = reply.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            out.close()
        if fate == "lost":
            self.close_connection = True
            self.connection.close()
            return
        kept = {k: v for k, v in reply.getheaders() if k.lower() in ("content-type", "retry-after")}
        self.answer(reply.status, kept, data)

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
