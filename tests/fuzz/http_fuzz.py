"""Generated HTTP requests against the real binary.

    python3 tests/fuzz/http_fuzz.py [--count 2000] [--seed 1] [--workers 4]

Every request is made from the contract (its paths, parameters, schemas) and then bent: values at
and past their bounds, members dropped, doubled, of another type, odd texts, foreign cursors, wrong
media types, encodings and headers, bytes flipped. Held against every reply: it is one the contract
allows, no 5xx but a 503 that says when to come back, an answer in time, the process alive. The
last request of a failure is written to stderr with what is needed to make it again.
"""
import argparse
import gzip
import http.client
import json
import os
import random
import re
import string
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from server import CONTRACT, Client, Server, batch, score  # noqa: E402

REPLY_MS_MAX = 10000
KEEP = 60  # cursors, ids and tags remembered from replies, to be used again elsewhere
ODD_TEXT = [
    "", " ", "a", "null", "none", "*", "%", "_", "'", '"', "\\", "/", "~0", "a,b", ",", "new,new",
    "\u0000", "\n", "\u007f", "\u202e", "\u00e9", "\U0001f600", "\ufeff", "' OR 1=1 --", "<b>",
    "../../etc/passwd", "x" * 65, "x" * 300, "y" * 3000, "%s%n", "0", "-1", "1e999", "NaN",
    "9223372036854775807", "9223372036854775808", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z", "2026-11-24T08:00:00+14:00", "10.0.0.0/8", "10.0.0.1/8", "::/0",
    "::ffff:10.0.0.1", "fe80::1%eth0", "255.255.255.256", "2001:db8::1/128", "[::1]",
]
ODD_VALUES = [None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**63,
              -(2**63), 10**30, [], {}, [[]], [None], {"": 0}, {"a": {"b": [1, {"c": None}]}}]
NUMBERS_AS_TEXT = ["NaN", "Infinity", "1e999", "-1e999", "01", "1.", "0x10", "+1", "1e", "-"]
TYPES = ["application/json", "application/x-ndjson", "application/merge-patch+json", "text/plain",
         "", "application/json; charset=utf-8", "APPLICATION/JSON", "multipart/form-data",
         "application/json, text/plain", "a" * 500]
HEADERS = {
    "If-Match": ['"v1"', '"v2"', "*", "v1", 'W/"v1"', '"', "", '"a", "v1"', '"v1",', "x" * 2000],
    "If-None-Match": ['"v1"', "*", "x", '"v1", W/"v2"'],
    "Prefer": ["return=minimal", "return=representation", "respond-async, wait=1", ";;=,"],
    "Idempotency-Key": ["k1", '"k1"', "k2", "", '"', "x" * 256, "a b", "\u00ff"],
    "Accept": ["*/*", "application/json", "text/html", "application/xml;q=1", "nonsense", ""],
    "Accept-Encoding": ["gzip", "br", "gzip;q=0", "*", "identity;q=0, *;q=0"],
    "Content-Encoding": ["gzip", "deflate", "br", "identity", "gzip, gzip", ""],
    "X-CSRF-Token": ["", "x", "\u00ff" * 10],
    "Cookie": ["pairwatch_session=x", "pairwatch_session=", "a=b; pairwatch_session=" + "A" * 43,
               ";;;", "=" * 100],
    "Authorization": ["Bearer", "Bearer x", "Basic YTpi", "Bearer pw_" + "A" * 43, ""],
    "Origin": ["https://elsewhere.example", "null"],
    "Sec-Fetch-Site": ["cross-site", "same-origin"],
    "Range": ["bytes=0-1", "bytes=-1"],
    "Expect": ["a miracle"],
    "X-Long": ["x" * 7000],
    "Transfer-Encoding": [],
}

# Those that read a body have more to go wrong.
# A stream of events has no end to wait for.
OPERATIONS = [o for o in CONTRACT.operations if "text/event-stream" not in json.dumps(o.item.get("responses", {}))
              for _ in range(4 if o.body_types() else 1)]
OWN_TOKENS = re.compile(r"tokens/(\+|%2B)?0*[1-4]([^0-9]|$)", re.IGNORECASE)  # revoked, all is 401


class Maker:
    """Makes requests; one a thread, so a seed and a thread's number give the same sequence."""

    def __init__(self, seed, memory):
        self.random = random.Random(seed)
        self.memory = memory

    def chance(self, share):
        return self.random.random() < share

    def pick(self, items):
        return self.random.choice(items)

    def text(self):
        if self.chance(0.6):
            return self.pick(ODD_TEXT)
        alphabet = self.pick([string.ascii_lowercase, string.printable, "a.:-_/%\u00e9\u4e2d"])
        return "".join(self.pick(alphabet) for _ in range(self.random.randrange(40)))

    def value(self, schema, bend):
        """A value of the schema; with the chance `bend` at each node, something else."""
        if self.chance(bend):
            return self.pick([self.text(), self.pick(ODD_VALUES)])
        schema = CONTRACT.resolve(schema)
        if "oneOf" in schema:
            return self.value(self.pick(schema["oneOf"]), bend)
        if "enum" in schema:
            return self.pick(schema["enum"])
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type", "string")
        kind = self.pick(kind) if isinstance(kind, list) else kind
        return getattr(self, "_" + kind)(schema, bend)

    def _null(self, _schema, _bend):
        return None

    def _boolean(self, _schema, _bend):
        return self.chance(0.5)

    def _integer(self, schema, bend):
        low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
        if self.chance(bend):
            return self.pick([low - 1, high + 1, low, high])
        return self.random.randint(low, min(high, low + 50))

    def _number(self, schema, bend):
        if self.chance(bend):
            return self.pick([schema.get("minimum", 0) - 1, schema.get("maximum", 1) + 1, 1e300])
        return round(self.random.uniform(0, 3), 3)

    def _string(self, schema, bend):
        if schema.get("format") == "date-time":
            day, hour = self.random.randint(1, 28), self.random.randint(0, 23)
            return f"2026-11-{day:02}T{hour:02}:{self.random.randint(0, 59):02}:00.000Z"
        if "pattern" in schema:
            return self.pick(["vpc-egress", "dns-answer", "outside-1", "root", "tess", "a", "phish",
                              "m" * self.random.randint(1, 64)])
        if self.chance(bend):
            return "x" * (schema.get("maxLength", 100) + self.pick([0, 1, 8000]))
        return self.pick(["i-0a", "198.51.100.9", "2001:db8::7", "correct horse battery", "text"])

    def _array(self, schema, bend):
        least = schema.get("minItems", 0)
        count = self.random.randint(least, max(least, min(schema.get("maxItems", 5), 6)))
        if self.chance(bend):
            count = self.pick([0, schema.get("maxItems", 20) + 1 if schema.get("maxItems", 0) < 600
                               else 700])
        return [self.value(schema.get("items", {}), bend) for _ in range(count)]

    def _object(self, schema, bend):
        out = {}
        required = schema.get("required", [])
        for name, member in schema.get("properties", {}).items():
            if name == "ip" and not self.chance(bend):
                out[name] = f"198.51.{self.random.randrange(4)}.{self.random.randrange(256)}"
            elif name in required or self.chance(0.5):
                out[name] = self.value(member, bend)
        if self.chance(bend) and out:
            del out[self.pick(list(out))]
        if self.chance(bend):
            out[self.text()] = self.pick(ODD_VALUES)
        return out

    def path(self, operation):
        path = operation.path
        ids = self.memory["ids"] or [1]
        one = str(self.pick(ids)) if self.chance(0.8) else self.text()
        path = path.replace("{id}", urllib.parse.quote(one, safe=""))
        name = self.pick(["root", "tess", "rita", "fuzz"]) if self.chance(0.7) else self.text()
        path = path.replace("{name}", urllib.parse.quote(name, safe=""))
        if self.chance(0.02):
            at = self.random.randrange(len(path) + 1)
            path = path[:at] + self.pick(["/", "%", "%2f", "..", "%00", "?", "#", "//", "%ff"]) + path[at:]
        return path

    def query(self, operation):
        pairs = []
        for parameter in map(CONTRACT.resolve, operation.item.get("parameters", [])):
            if parameter["in"] != "query" or not self.chance(0.3):
                continue
            name = parameter["name"]
            value = self.value(parameter["schema"], 0.1)
            if name == "cursor":
                value = self.pick(self.memory["cursors"] or [""]) if self.chance(0.8) else self.text()
            if isinstance(value, list):
                value = ",".join(map(str, value))
            pairs.append((name, str(value)))
        if self.chance(0.03):
            pairs.append((self.text(), self.text()))
        if self.chance(0.02) and pairs:
            pairs.append(self.pick(pairs))
        text = urllib.parse.urlencode(pairs)
        if self.chance(0.02):
            text += self.pick(["&", "&&=", "=", "%", "%zz", "&a", "&a=%00", "&" + "b=1&" * 80])
        return "?" + text if text or self.chance(0.01) else ""

    def body(self, operation):
        """(bytes, content type) of a request, (None, None) where none is taken."""
        content = operation.item.get("requestBody", {}).get("content", {})
        if not content:
            return (self.pick([b"{}", b"x" * 3000]), "application/json") if self.chance(0.02) else (None, None)
        media = self.pick(list(content))
        bend = self.pick([0, 0, 0.02, 0.1, 0.5])
        if media == "application/x-ndjson":
            rows = [self.value(content[media]["schema"], bend) for _ in range(self.random.randrange(6))]
            data = b"\n".join(self.encode(row) for row in rows)
        else:
            data = self.encode(self.aimed(operation, self.value(content[media]["schema"], bend)))
        return self.bent(data), media

    def aimed(self, operation, value):
        """Ids and versions that exist, else no bulk change would ever find its finding."""
        items = value.get("items") if isinstance(value, dict) else None
        if operation.id == "update_findings" and isinstance(items, list):
            for item in items:
                if isinstance(item, dict) and self.memory["ids"] and self.chance(0.8):
                    item["id"] = self.pick(self.memory["ids"])
        return value

    def encode(self, value):
        text = json.dumps(value, ensure_ascii=self.chance(0.5), allow_nan=False)
        return text.encode("utf-8", "surrogatepass")

    def bent(self, data):
        if not self.chance(0.15) or not data:
            return data
        at = self.random.randrange(len(data))
        return self.pick([
            lambda: data[:at],
            lambda: data[:at] + bytes([self.random.randrange(256)]) + data[at + 1:],
            lambda: data[:at] + self.pick(NUMBERS_AS_TEXT).encode() + data[at:],
            lambda: data + data,
            lambda: b"[" * self.random.randrange(1, 2000) + data,
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.replace(b":", b",", 1),
            lambda: data.replace(b"1", self.pick(NUMBERS_AS_TEXT).encode(), 1),
            lambda: b"",
        ])()

    def headers(self, operation, media):
        out = {}
        if media is not None:
            out["Content-Type"] = media if self.chance(0.95) else self.pick(TYPES)
        if operation.id == "update_finding" and self.chance(0.9):
            out["If-Match"] = self.pick(["*", '"v1"', '"v2"', '"v3"'])
        for name, values in HEADERS.items():
            if values and self.chance(0.02):
                out[name] = self.pick(values)
        return out

    def request(self):
        # Signing in costs the server a tenth of a second by design, so it is tried less often.
        operation = self.pick(OPERATIONS)
        while operation.id in ("create_session", "change_password", "create_user", "update_user") \
                and not self.chance(0.05):
            operation = self.pick(OPERATIONS)
        method = operation.method
        if self.chance(0.02):
            method = self.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "BREW"])
        path = self.path(operation)
        if OWN_TOKENS.search(path):
            path = path.replace("tokens/", "tokens/77")
        body, media = self.body(operation)
        headers = self.headers(operation, media)
        if body and headers.get("Content-Encoding") == "gzip" or self.chance(0.03) and body:
            headers["Content-Encoding"] = "gzip"
            body = self.bent(gzip.compress(body, 1))
        return method, path + self.query(operation), headers, body


def remember(memory, reply):
    value = reply.value
    if not isinstance(value, dict):
        return
    for found in value.get("findings", []):
        memory["ids"] = (memory["ids"] + [found["id"]])[-KEEP:]
    if isinstance(value.get("next"), str) and "cursor=" in value["next"]:
        cursor = value["next"].split("cursor=")[1].split("&")[0]
        memory["cursors"] = (memory["cursors"] + [cursor])[-KEEP:]


def judge(method, path, reply, ms):
    assert ms < REPLY_MS_MAX, f"took {ms} ms"
    if reply.status >= 500:
        assert reply.status == 503 and "retry-after" in reply.headers, f"status {reply.status}"
    body = reply.body
    if reply.headers.get("content-encoding") == "gzip" and method != "HEAD":
        body = gzip.decompress(body)
    if method in ("GET", "PUT", "POST", "DELETE", "PATCH"):
        reply.value = CONTRACT.check_reply(method, path, reply.status, reply.type, body)


class Run:
    def __init__(self, server, options):
        self.server, self.options = server, options
        self.left = options.count
        self.lock = threading.Lock()
        self.statuses, self.failures = {}, []
        self.memory = {"ids": [], "cursors": []}

    def take(self):
        with self.lock:
            if self.left == 0 or self.failures:
                return False
            self.left -= 1
            return True

    @staticmethod
    def reply(client, made):
        """A kept connection may be closed by the server just when it is used again (RFC 9112, 9.3.1):
        then the request goes out once more, on a new one. Twice is a fault."""
        method, path, headers, body = made
        try:
            return client.raw(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            client.close()
            return client.raw(method, path, body, headers)

    def send(self, client, made):
        method, path, headers, body = made
        begin = time.monotonic()
        try:
            reply = self.reply(client, made)
        except (ValueError, UnicodeEncodeError, http.client.InvalidURL):
            return None  # the client library would not send it
        except http.client.HTTPException as problem:
            client.close()
            if isinstance(problem, http.client.RemoteDisconnected):
                raise AssertionError("no answer") from problem
            raise AssertionError(f"not HTTP: {problem!r}") from problem
        judge(method, path, reply, (time.monotonic() - begin) * 1000)
        remember(self.memory, reply)
        return reply.status

    def work(self, number):
        maker = Maker(self.options.seed * 1000 + number, self.memory)
        roles = ["admin"] * 8 + ["read", "triage", "ingest", None]
        clients = {role: self.server.client(role) for role in set(roles)}
        while self.take():
            made = maker.request()
            try:
                status = self.send(clients[maker.pick(roles)], made)
            except Exception as problem:  # what it was goes into the report
                with self.lock:
                    self.failures.append((made, problem))
                return
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1


def fuzz(options):
    with Server() as server:
        rows = [score(f"i-{n}", ip=f"198.51.100.{n}", score=1 + n) for n in range(50)]
        server.admin.post("/api/v1/scores", batch(*rows))
        run = Run(server, options)
        remember(run.memory, server.admin.get("/api/v1/findings?limit=10"))
        begin = time.monotonic()
        threads = [threading.Thread(target=run.work, args=(n,)) for n in range(options.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begin
        alive = server.process.poll() is None
        done = sum(run.statuses.values())
        print(f"{done} requests in {seconds:.1f} s ({done / seconds:.0f}/s), seed {options.seed}:",
              ", ".join(f"{status} × {count}" for status, count in
                        sorted(run.statuses.items(), key=lambda item: str(item[0]))))
        for (method, path, headers, body), problem in run.failures:
            print(f"{type(problem).__name__}: {problem}\n  {method} {path}\n  {headers}\n"
                  f"  {body!r:.300}", file=sys.stderr)
        if not alive:
            print(f"the server ended: {server.process.returncode}\n{server.errors()[-3000:]}",
                  file=sys.stderr)
        healthy = alive and server.client(None).get("/healthz").status == 200
        code = server.stop() if alive else 1
        if code != 0:
            print(f"exit status {code}\n{server.errors()[-3000:]}", file=sys.stderr)
        return healthy and not run.failures and code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FUZZ_SEED", "1")))
    parser.add_argument("--workers", type=int, default=4)
    sys.exit(0 if fuzz(parser.parse_args()) else 1)


if __name__ == "__main__":
    main()
