"""What the dashboard draws, the feed, the ledger, health and metrics."""
import http.client
import json
import re
import unittest

from server import Server, batch, score

SPEC = "vpc-egress"


class Charts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.read = cls.server.client("read")
        ingest = cls.server.client("ingest")
        rows = [score(f"e{n}", ip=f"198.51.100.{n % 200}", score=n / 1000,
                      time=f"2026-11-{20 + n % 3}T{n % 2 + 10}:00:00.000Z") for n in range(1000)]
        assert ingest.post("/api/v1/scores", batch(*rows, threshold=0.9895)).status == 200
        more = [score("other", ip="2001:db8:1:2::1", score=3)]
        assert ingest.post("/api/v1/scores", batch(*more, spec="dns-answer")).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, path):
        reply = self.read.get(f"/api/v1/{path}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.value

    def test_timeseries(self):
        value = self.get(f"timeseries?spec={SPEC}&since=2026-11-20T00:00:00Z"
                         "&until=2026-11-24T00:00:00Z")
        self.assertEqual(value["bucket"], "hour")
        self.assertEqual(len(value["buckets"]), 6)
        self.assertEqual(sum(b["observations"] for b in value["buckets"]), 1000)
        self.assertEqual(sum(b["flagged"] for b in value["buckets"]), 10)
        for bucket in value["buckets"]:
            self.assertLess(abs(bucket["p50"] - 0.5), 0.15, bucket)
            self.assertLess(abs(bucket["p99"] - 0.99), 0.15, bucket)
            bands = [bucket[name] for name in ("p50", "p90", "p99", "p999")]
            self.assertEqual(bands, sorted(bands))
        days = self.get(f"timeseries?spec={SPEC}&bucket=day&since=2026-11-20T00:00:00Z"
                        "&until=2026-11-24T00:00:00Z")["buckets"]
        self.assertEqual([d["time"] for d in days],
                         [f"2026-11-{d}T00:00:00.000Z" for d in (20, 21, 22)])
        self.assertEqual(sum(d["observations"] for d in days), 1000)

    def test_the_bucket_follows_the_period(self):
        for until, bucket in (("2026-11-27", "hour"), ("2027-11-20", "day")):
            value = self.get(f"timeseries?since=2026-11-20T00:00:00Z&until={until}T00:00:00Z")
            self.assertEqual(value["bucket"], bucket)

    def test_the_edges_of_time(self):
        first = self.get("timeseries?until=1970-01-01T00:00:00Z&bucket=hour")
        self.assertEqual((first["since"], first["until"]),
                         ("1970-01-01T00:00:00.000Z", "1970-01-01T01:00:00.000Z"))
        last = self.get("timeseries?since=2099-12-31T23:59:59.999Z")
        self.assertEqual(last["until"], "2099-12-31T23:59:59.999Z")
        self.assertLess(last["since"], last["until"])

    def test_a_period_that_is_none(self):
        for path in ("timeseries?since=2026-11-20T00:00:00Z&until=2026-11-20T00:00:00Z",
                     "histogram?since=2026-11-21T00:00:00Z&until=2026-11-20T00:00:00Z",
                     "timeseries?bucket=minute", "histogram?model=no+id", "summary?spec=A"):
            self.assertEqual(self.read.get(f"/api/v1/{path}").status, 400, path)

    def test_histogram(self):
        value = self.get("histogram")
        self.assertEqual((value["spec"], value["model"], value["threshold"]),
                         (SPEC, "outside-1", 0.9895))
        self.assertEqual((value["observations"], value["flagged"]), (1000, 10))
        self.assertEqual(sum(b["count"] for b in value["bins"]), 1000)
        lows = [b["low"] for b in value["bins"]]
        self.assertEqual(len(lows), len({round((b - a) / value["width"]) for a, b in
                                         zip(lows, lows[1:])}) and len(lows))
        for one, two in zip(lows, lows[1:]):
            self.assertAlmostEqual(two - one, value["width"])
        self.assertEqual(self.get("histogram?spec=dns-answer")["observations"], 1)
        empty = self.get("histogram?spec=none-such")
        self.assertEqual((empty["bins"], empty["observations"]), ([], 0))

    def test_summary(self):
        value = self.get("summary")
        self.assertEqual(value["by_status"],
                         {"new": 11, "in_progress": 0, "suppressed": 0, "resolved": 0})
        self.assertEqual(sum(a["count"] for a in value["open_by_age"]), 11)
        self.assertEqual([a["age"] for a in value["open_by_age"]],
                         ["under_1h", "under_1d", "under_7d", "older"])
        self.assertEqual(value["newest_observation"], "2026-11-24T08:00:00.000Z")
        self.assertEqual(value["first_observation"], "2026-11-20T10:00:00.000Z")
        self.assertEqual((value["flagged_24h"], value["observations_24h"]), (1, 1))
        self.assertEqual(sorted(value["specs"]), ["dns-answer", SPEC])
        self.assertIn({"network": "2001:db8:1::/48", "findings": 1, "entities": 1},
                      value["top_networks"])
        only = self.get("summary?spec=dns-answer")
        self.assertEqual((only["by_status"]["new"], only["observations_24h"]), (1, 1))

    def test_changes(self):
        first = self.get("changes?limit=3")
        self.assertEqual([c["seq"] for c in first["changes"]], [1, 2, 3])
        seen, after = [], 0
        while True:
            page = self.get(f"changes?after={after}&limit=4")
            seen += [c["seq"] for c in page["changes"]]
            if after == page["last_seq"]:
                break
            after = page["changes"][-1]["seq"]
        self.assertEqual(seen, list(range(1, first["last_seq"] + 1)))
        for query in ("after=-1", "after=x", "limit=0", "limit=1001", "after=9999999999999999999"):
            self.assertEqual(self.read.get(f"/api/v1/changes?{query}").status, 400)
        self.assertEqual(self.get("changes?after=9999999")["changes"], [])

    def stream(self, query="", last=None):
        """An open stream, as a file of its lines."""
        headers = {"Authorization": f"Bearer {self.server.used_tokens['read']}",
                   "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", f"/api/v1/stream{query}", headers=headers)
        return connection.getresponse()

    @staticmethod
    def events(reply, count):
        found, event = [], {}
        while len(found) < count:
            line = reply.readline().decode()
            assert line, "the stream ended"
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                event[name] = value
            elif event:
                found.append(event)
                event = {}
        return found

    def test_stream(self):
        last = self.get("changes")["last_seq"]
        fresh, again, behind = self.stream(), self.stream(last=str(last - 2)), self.stream("?after=0")
        self.assertEqual((fresh.status, fresh.getheader("Content-Type")), (200, "text/event-stream"))
        events = self.events(behind, last)
        self.assertEqual([int(e["id"]) for e in events], list(range(1, last + 1)))
        self.assertEqual([int(e["id"]) for e in self.events(again, 2)], [last - 1, last])
        wanted = self.get("changes?limit=2")["changes"]
        self.assertEqual([json.loads(e["data"]) for e in events[:2]], wanted)
        self.server.make_token("streamed", "read")  # by another process
        for reply in (fresh, again, behind):
            (event,) = self.events(reply, 1)
            self.assertEqual((event["event"], int(event["id"])), ("change", last + 1))
            self.assertEqual(json.loads(event["data"])["kind"], "token_created")
        for query, id in (("?after=-1", None), ("?after=x", None), ("", "x"), ("", "-1")):
            self.assertEqual(self.stream(query, id).status, 400)
        self.assertEqual(self.server.client().raw("GET", "/api/v1/stream").status, 401)

    def test_models(self):
        models = {m["id"]: m for m in self.get("models")["models"]}
        self.assertEqual(sorted(t["spec"] for t in models["outside-1"]["thresholds"]),
                         ["dns-answer", SPEC])
        self.assertIsNotNone(models["outside-1"]["last_used"])

    def test_objects(self):
        self.assertEqual(self.get("objects"), {"objects": [], "next": None})
        self.assertEqual(self.get("objects?state=failed")["objects"], [])
        for query in ("state=all", "cursor=AAAA", "limit=0"):
            self.assertEqual(self.read.get(f"/api/v1/objects?{query}").status, 400)

    def test_health(self):
        for path in ("/healthz", "/readyz"):
            value = self.server.client(None).get(path).value
            self.assertEqual(value["status"], "ok")
            self.assertRegex(value["version"], r"^\d+\.\d+\.\d+$")

    SUFFIXES = {"counter": ["_total"], "info": ["_info"], "gauge": [""],
                "histogram": ["_bucket", "_count", "_sum"]}

    def test_metrics_are_openmetrics(self):
        reply = self.read.get("/metrics")
        self.assertTrue(reply.type.startswith("application/openmetrics-text; version=1.0.0"))
        text = reply.body.decode()
        self.assertTrue(text.endswith("# EOF\n"))
        families, seen = {}, set()
        for line in text.splitlines()[:-1]:
            if line.startswith("# "):
                _, word, name, rest = line.split(" ", 3)
                self.assertIn(word, ("TYPE", "HELP", "UNIT"))
                if word == "TYPE":
                    self.assertNotIn(name, families)
                    families[name] = rest
                continue
            found = re.fullmatch(r"([a-z_:][a-z0-9_:]*)(\{[^}]*\})? (-?[0-9.e+]+)", line)
            self.assertIsNotNone(found, line)
            name = found.group(1)
            matching = [f for f, kind in families.items() if name in
                        [f + suffix for suffix in self.SUFFIXES[kind]]]
            self.assertEqual(len(matching), 1, line)
            self.assertNotIn((name, found.group(2)), seen, line)
            seen.add((name, found.group(2)))
        for part in ("pairwatch_build_info{version=", "pairwatch_writer_queue_depth 0",
                     'pairwatch_findings{status="new"} 11', "pairwatch_observations_total 1001",
                     "process_start_time_seconds", "pairwatch_http_requests_total{"):
            self.assertIn(part, text)


class Outliers(unittest.TestCase):
    """One wrong clock does not take the charts away."""

    def test_all_there_is_has_bounds(self):
        with Server() as server:
            ingest, read = server.client("ingest"), server.client("read")
            rows = [score(f"e{n}", score=0.5, time=f"{year}-01-01T00:00:00.000Z")
                    for n, year in enumerate((1970, 2024, 2099))]
            self.assertEqual(ingest.post("/api/v1/scores", batch(*rows)).status, 200)
            series = read.get("/api/v1/timeseries")
            self.assertEqual(series.status, 200, series.body)
            self.assertEqual([b["time"][:4] for b in series.value["buckets"]], ["2024"])
            self.assertEqual(read.get("/api/v1/histogram").value["observations"], 1)
            whole = read.get("/api/v1/timeseries?since=1970-01-01T00:00:00Z"
                             "&until=2099-12-31T00:00:00Z")
            self.assertEqual(whole.status, 413)


if __name__ == "__main__":
    unittest.main()
