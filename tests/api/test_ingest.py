"""How objects get in: notices over HTTP, the ledger, failed objects tried again."""
import json
import re
import subprocess
import time
import unittest

from server import BINARY, Client, Server

BUCKET = "aws-security-data-lake-eu-west-1-example"
LAKE = "aws/VPC_FLOW/2.0/region=eu-west-1/accountId=111122223333/eventDay=20260102"


def subscriber(name, etag="0" * 32, **more):
    return {"source": "aws.s3", "time": "2026-01-02T03:04:05Z", "region": "eu-west-1",
            "detail": {"bucket": {"name": BUCKET},
                       "object": {"key": f"{LAKE}/{name}.gz.parquet", "size": 7, "etag": etag}}, **more}


def records(*names):
    return {"Records": [{"eventName": "ObjectCreated:Put", "awsRegion": "eu-west-1",
                         "s3": {"bucket": {"name": BUCKET},
                                "object": {"key": f"{LAKE}/{name}.gz.parquet".replace("=", "%3D"), "size": "7",
                                           "eTag": "0" * 32}}} for name in names]}


class Notices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.notify, cls.read = cls.server.client("notify"), cls.server.client("read")
        cls.triage = cls.server.client("triage")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def setUp(self):
        self.server.execute("DELETE FROM notice")

    def post(self, value, **more):
        return self.notify.post("/api/v1/notices", value, **more)

    def receipt(self, value):
        reply = self.post(value)
        self.assertEqual(reply.status, 202, reply.body)
        return tuple(reply.value[name] for name in ("queued", "repeated", "stored", "skipped"))

    def waiting(self, query=""):
        return self.read.get("/api/v1/notices" + query).value["notices"]

    def test_every_form_is_taken_in_once(self):
        event = subscriber("b", **{"version": "0", "id": "1", "detail-type": "Object Created"})
        sns = {"Type": "Notification", "Message": json.dumps(records("d"))}
        test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
        for value, wanted in ((subscriber("a"), (1, 0, 0, 0)), (event, (1, 0, 0, 0)),
                              (records("a", "b", "c"), (1, 2, 0, 0)), (sns, (1, 0, 0, 0)),
                              (sns, (0, 1, 0, 0)), (test, (0, 0, 0, 0))):
            self.assertEqual(self.receipt(value), wanted, value)
        other = subscriber("a")
        other["detail"]["object"]["key"] = "logs/a.parquet"
        self.assertEqual(self.receipt(other), (0, 0, 0, 1))
        found = self.waiting("?state=waiting")
        self.assertEqual(sorted(n["key"][-12:-11] for n in found), ["a", "b", "c", "d"])
        first = found[-1]
        self.assertEqual((first["origin"], first["made"], first["attempts"], first["region"]),
                         ("token:test-notify", "2026-01-02T03:04:05.000Z", 0, "eu-west-1"))

    def test_the_token_comes_as_eventbridge_sends_it(self):
        token = self.server.used_tokens["notify"]
        nobody = Client(self.server.port)
        body = json.dumps(subscriber("key")).encode()
        for headers, status in (({"x-api-key": token}, 202), ({"X-API-Key": token}, 202),
                                ({"Authorization": f"Bearer {token}"}, 202), ({"x-api-key": token + "x"}, 401),
                                ({"x-api-key": f"Bearer {token}"}, 401), ({}, 401),
                                ({"x-api-key": self.server.used_tokens["read"]}, 403)):
            reply = nobody.call("POST", "/api/v1/notices", body=body, headers=headers,
                                type="application/json; charset=utf-8")
            self.assertEqual(reply.status, status, headers.keys())
        self.assertEqual(Client(self.server.port).get("/api/v1/findings", headers={"x-api-key": token}).status, 403)

    def test_what_is_no_notice_says_where(self):
        bad_bucket, bad_key, bad_region = subscriber("a"), subscriber("a"), subscriber("a", region="evil/")
        bad_bucket["detail"]["bucket"]["name"] = "../x"
        bad_key["detail"]["object"]["key"] = "aws/\u0001"
        bad_record = records("a", "b")
        bad_record["Records"][1]["s3"]["object"]["size"] = "many"
        wrapped = {"Type": "Notification", "Message": json.dumps(bad_record)}
        for value, pointer in ((bad_bucket, "/detail/bucket/name"), (bad_key, "/detail/object/key"),
                               (bad_region, "/region"), (bad_record, "/Records/1/s3/object/size"),
                               (wrapped, "/Message"), ({}, ""), ([], ""), ({"Records": [{}]}, "/Records/0"),
                               (subscriber("a", etag='"x"y'), "/detail/object/etag"),
                               ({"body": {"detail": {}}}, "/body/detail/bucket/name")):
            reply = self.post(value)
            self.assertEqual(reply.status, 422, value)
            self.assertEqual(reply.value["errors"][0]["pointer"], pointer, value)
        for body, status in ((b"{", 400), (b"\xff", 400), (b"{" * 100000, 400)):
            self.assertEqual(self.post(None, body=body).status, status)
        self.assertEqual(self.post(subscriber("a"), type="text/csv").status, 415)
        self.assertEqual(self.notify.post("/api/v1/notices?x=1", subscriber("a")).status, 400)
        self.assertEqual(self.waiting(), [])

    def test_a_full_table_asks_to_come_again(self):
        self.receipt(subscriber("known"))
        columns = "bucket, key, etag, size_bytes, folder, origin, received_ms, state, attempts, ready_ms"
        numbers = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
                   " SELECT 'b', 'k' || CAST(i AS TEXT), '', 0, 0, 'x', 1, 0, 0, 1 FROM n")
        self.server.execute(f"INSERT INTO notice ({columns}) {numbers}")
        reply = self.post(subscriber("new"))
        self.assertEqual(reply.status, 503)
        self.assertGreaterEqual(int(reply.headers["retry-after"]), 30)
        self.assertIn("notices wait", reply.value["detail"])
        self.assertEqual(self.receipt(subscriber("known")), (0, 1, 0, 0))

    def test_it_answers_in_milliseconds(self):
        times = []
        for i in range(40):
            value = subscriber(f"fast{i}")
            began = time.monotonic()
            self.assertEqual(self.post(value).status, 202)
            times.append(time.monotonic() - began)
        self.assertLess(sorted(times)[20], 0.25)

    def test_what_waits_comes_in_pages(self):
        self.receipt(records(*(f"page{i}" for i in range(5))))
        path, seen = "/api/v1/notices?limit=2", []
        while path:
            page = self.read.get(path).value
            seen += [n["id"] for n in page["notices"]]
            path = page["next"]
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual(len(seen), 5)
        self.assertEqual(self.read.get("/api/v1/notices?state=gone").status, 400)

    def test_scores_say_when_their_object_was_made(self):
        made = "2026-01-02T03:04:05.000Z"
        for value, status in ((made, 200), ("yesterday", 422)):
            lines = [{"object": {"bucket": BUCKET, "key": f"{LAKE}/made.gz.parquet", "etag": "e", "size_bytes": 1,
                                 "made": value}}]
            reply = self.server.client("ingest").post(
                "/api/v1/scores?model=m&detector=d&threshold=1&spec=vpc-egress", type="application/x-ndjson",
                body="\n".join(map(json.dumps, lines)).encode())
            self.assertEqual(reply.status, status, reply.body)
        found = self.read.get("/api/v1/objects?source=VPC_FLOW&limit=1").value["objects"][0]
        self.assertEqual((found["made"], found["account"]), (made, "111122223333"))

    def test_a_dead_notice_is_tried_again(self):
        self.receipt(subscriber("dead"))
        self.server.execute("UPDATE notice SET state = 2, attempts = 5")
        found = self.waiting("?state=dead")
        self.assertEqual(len(found), 1)
        reply = self.triage.post(f"/api/v1/notices/{found[0]['id']}/retry")
        self.assertEqual((reply.status, reply.value), (202, {"repeated": False}))
        self.assertEqual((self.waiting()[0]["state"], self.waiting()[0]["attempts"]), ("waiting", 0))
        self.assertEqual(self.triage.post("/api/v1/notices/999999/retry").status, 404)


class Ledger(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        try:
            cls.folder = cls.server.folder
            cls.run_program("simulate", "--entities", "30", "--days", "2", "--seed", "4", "--out", "lake")
            cls.run_program("train", "--out", "m.model", "lake")
            cls.good = sorted((cls.folder / "lake").rglob("*.parquet"))
            cls.broken = cls.good[-1].with_name("broken.gz.parquet")
            cls.broken.write_bytes(b"PAR1 and then nothing of the kind")
            cls.first = cls.work(code=1)
            cls.server.__enter__()
        except BaseException:
            cls.server.__exit__()
            raise
        cls.read, cls.triage = cls.server.client("read"), cls.server.client("triage")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def run_program(cls, *arguments, code=0):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True, timeout=120,
                              cwd=cls.folder)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: {done.returncode} {done.stdout} {done.stderr[-2000:]}")
        return done

    @classmethod
    def work(cls, code=0):
        return cls.run_program("work", "--queue", "dir:lake", "--scorer", "model:m.model", "--once", "--database",
                               cls.server.database, code=code)

    def objects(self, query=""):
        return self.read.get(f"/api/v1/objects?limit=500{query}").value["objects"]

    def test_once_fails_when_an_object_failed(self):
        self.assertIn("1 of", self.first.stderr)
        self.assertIn("(1 failed)", self.first.stdout)
        batches = re.findall(r'msg="batch" received=(\d+) stored=(\d+) failed=(\d+)', self.first.stderr)
        self.assertEqual([sum(map(int, column)) for column in zip(*batches)],
                         [len(self.good) + 1, len(self.good), 1])

    def test_the_ledger_says_where_objects_come_from(self):
        found = [o for o in self.objects("&state=stored") if "broken" not in o["key"]]
        self.assertEqual(len(found), len(self.good))
        for o in found:
            self.assertIn(f"/{o['source']}/", o["key"])
            self.assertIn(f"accountId={o['account']}/", o["key"])
            self.assertLessEqual(o["first_event"] or "", o["last_event"] or "")
            self.assertLess(o["made"], o["finished"])
        source = found[0]["source"]
        self.assertLessEqual({o["id"] for o in found if o["source"] == source},
                             {o["id"] for o in self.objects(f"&state=stored&source={source}")})
        self.assertEqual({o["source"] for o in self.objects(f"&source={source}")}, {source})
        self.assertEqual(self.objects("&source=NONE"), [])
        self.assertEqual(self.objects("&until=2020-01-01T00:00:00Z"), [])
        self.assertGreaterEqual(len(self.objects("&since=2020-01-01T00:00:00Z&state=stored")), len(found))
        for query in ("&source=", "&since=yesterday", "&source=" + "x" * 64):
            self.assertEqual(self.read.get(f"/api/v1/objects?limit=5{query}").status, 400)
        one = self.read.get(f"/api/v1/objects/{found[0]['id']}")
        self.assertEqual(one.value, found[0])
        self.assertEqual(self.read.get("/api/v1/objects/999999").status, 404)

    def test_how_ingest_stands(self):
        value = self.read.get("/api/v1/ingest").value
        week, sources = value["week"], {s["source"]: s for s in value["sources"]}
        self.assertGreaterEqual(week["stored"], len(self.good))
        self.assertGreaterEqual(week["failed"], 1)
        self.assertLessEqual(week["p50_seconds"], week["p95_seconds"])
        self.assertLessEqual(week["p95_seconds"], week["max_seconds"])
        self.assertEqual(sum(h["stored"] for h in value["hours"]), week["stored"])
        self.assertEqual(set(sources), {o["source"] for o in self.objects()})
        self.assertEqual(sum(s["stored"] for s in sources.values()), value["day"]["stored"])
        bad = sources[self.broken.relative_to(self.folder / "lake").parts[1]]
        self.assertIn(str(bad["last_error"]["object"]), [str(o["id"]) for o in self.objects()])
        self.assertTrue(bad["last_error"]["detail"])
        self.assertEqual(value["workers"], [])
        self.assertEqual(self.read.get("/api/v1/ingest?source=NONE").value["week"]["stored"], 0)
        self.assertEqual(self.read.get("/api/v1/ingest?sources=1").status, 400)

    def test_metrics(self):
        text = self.read.raw("GET", "/metrics").body.decode()
        self.assertTrue(text.endswith("# EOF\n"))
        types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)
        self.assertEqual(len(types), len({name for name, _ in types}), "a family is told once")
        samples = dict(re.findall(r"^(\S+(?:\{[^}]*\})?) (\S+)$", text, re.M))
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (TYPE|HELP|EOF).*|[a-z_]+(\{([a-z]+="[^"\\]*",?)+\})? \S+)$')
        stored = int(samples['pairwatch_ingest_objects_total{outcome="stored"}'])
        week = self.read.get("/api/v1/ingest").value["week"]
        self.assertEqual((stored, int(samples['pairwatch_ingest_objects_total{outcome="failed"}'])),
                         (week["stored"], week["failed"]))
        objects = [o for o in self.objects("&state=stored")]
        self.assertEqual(int(samples["pairwatch_ingest_rows_total"]), sum(o["rows"] for o in objects))
        reasons = {}
        for o in objects:
            for reason, count in o["unscored"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        told = {name: int(value) for name, value in
                re.findall(r'^pairwatch_ingest_unscored_rows_total\{reason="([a-z0-9_]+)"\} (\d+)$', text, re.M)}
        self.assertEqual(told, reasons)
        buckets = [int(value) for value in re.findall(r"^pairwatch_ingest_lag_seconds_bucket\{.*\} (\d+)$", text, re.M)]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual((len(buckets), buckets[-1], samples["pairwatch_ingest_lag_seconds_count"]), (10, stored, str(stored)))
        self.assertGreaterEqual(int(samples["pairwatch_worker_received_total"]), stored)
        self.assertEqual(samples["pairwatch_workers"], "0")

    def test_missing_hours(self):
        before = self.read.get("/api/v1/ingest/gaps").value
        self.assertTrue(before["complete"])
        place = "'VPC_FLOW', 'eu-west-1', '999999999999'"
        until = int(time.time() // 3600) * 3600 - 10 * 3600
        for hour in (-3, -1):
            self.server.execute(f"INSERT INTO arrival_hour VALUES ({(until + hour * 3600) * 1000}, {place}, 1)")
        try:
            value = self.read.get("/api/v1/ingest/gaps").value
            gap = next(g for g in value["gaps"] if g["account"] == "999999999999")
            self.assertEqual((gap["source"], gap["region"], gap["hours"]), ("VPC_FLOW", "eu-west-1", 1))
            self.assertEqual(gap["since"], time.strftime("%Y-%m-%dT%H:00:00.000Z", time.gmtime(until - 7200)))
        finally:
            self.server.execute("DELETE FROM arrival_hour WHERE account = '999999999999'")
        self.assertEqual(self.read.get("/api/v1/ingest/gaps").value, before)

    def test_a_worker_that_runs_is_seen(self):
        with subprocess.Popen([str(BINARY), "work", "--queue", "store", "--scorer", "model:m.model", "--database",
                               self.server.database], cwd=self.folder, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as worker:
            try:
                deadline = time.monotonic() + 15
                while not (seen := self.read.get("/api/v1/ingest").value["workers"]):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.1)
                self.assertEqual((len(seen), seen[0]["queue"], seen[0]["in_flight"]), (1, "store", 0))
            finally:
                worker.terminate()
                worker.communicate(timeout=20)
        self.assertEqual(worker.returncode, 0)
        self.assertEqual(self.read.get("/api/v1/ingest").value["workers"], [])

    def test_a_failed_object_is_tried_again(self):
        bad = self.objects("&state=failed")[0]
        self.assertTrue(bad["key"].endswith("broken.gz.parquet"))
        self.assertTrue(bad["error"])
        path = f"/api/v1/objects/{bad['id']}/retry"
        self.assertEqual(self.read.post(path).status, 403)
        good = self.objects("&state=stored")[0]
        self.assertEqual(self.triage.post(f"/api/v1/objects/{good['id']}/retry").status, 409)
        self.assertEqual(self.triage.post(path).value, {"repeated": False})
        self.assertEqual(self.triage.post(path).value, {"repeated": True})
        self.work(code=1)  # takes it although the folder has nothing new for it
        again = self.read.get(f"/api/v1/objects/{bad['id']}").value
        self.assertEqual(again["attempts"], bad["attempts"] + 2)  # the scan of a new process, and the notice
        waiting = self.read.get("/api/v1/notices").value["notices"]
        self.assertEqual([(n["state"], n["attempts"]) for n in waiting], [("waiting", 1)])
        self.assertGreater(waiting[0]["ready"], again["finished"])
        kinds = [c["kind"] for c in self.read.get("/api/v1/changes?after=0").value["changes"]]
        self.assertEqual(kinds.count("object_retried"), 1)
        self.broken.write_bytes(self.good[0].read_bytes())  # mended: another etag
        self.server.execute("UPDATE notice SET ready_ms = 0")
        self.work()
        self.assertEqual(self.read.get("/api/v1/notices").value["notices"], [])


if __name__ == "__main__":
    unittest.main()
