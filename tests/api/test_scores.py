"""POST /api/v1/scores: three shapes, every fault, nothing stored when there is one."""
import gzip
import json
import threading
import unittest

from server import Server, batch, gzipped, score

PATH = "/api/v1/scores"
BAD_ROWS = [  # (what changes in a good row, where the fault is)
    ({"score": None, "dot_product": None}, ""),
    ({"score": 1.0, "dot_product": -1.0}, ""),
    ({"score": "1"}, "/score"),
    ({"score": True}, "/score"),
    ({"ip": "300.1.1.1"}, "/ip"),
    ({"ip": "10.0.0.1/8"}, "/ip"),
    ({"ip": "fe80::1%eth0"}, "/ip"),
    ({"ip": "192.0.2.07"}, "/ip"),
    ({"ip": 7}, "/ip"),
    ({"ip": None}, "/ip"),
    ({"entity": ""}, "/entity"),
    ({"entity": "x" * 10240}, "/entity"),
    ({"entity": "a\nb"}, "/entity"),
    ({"entity": ["a"]}, "/entity"),
    ({"entity": None}, "/entity"),
    ({"time": "9999-01-01T00:00:00Z"}, "/time"),
    ({"time": "2026-02-30T00:00:00Z"}, "/time"),
    ({"time": "yesterday"}, "/time"),
    ({"time": 1764000000}, "/time"),
    ({"time": None}, "/time"),
    ({"last_time": "2020-01-01T00:00:00Z"}, "/last_time"),
    ({"percentile": 100.5}, "/percentile"),
    ({"percentile": -1}, "/percentile"),
    ({"count": 0}, "/count"),
    ({"count": 1.5}, "/count"),
    ({"count": 2e12}, "/count"),
    ({"spec": "Not A Spec"}, "/spec"),
    ({"account": "x" * 65}, "/account"),
    ({"region": 5}, "/region"),
    ({"surprise": 1}, "/surprise"),
    ({"a/b~c": 1}, "/a~1b~0c"),
]


def changed(row, change):
    merged = {**row, **change}
    return {name: value for name, value in merged.items() if value is not None}


class Scores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.ingest = cls.server.client("ingest")
        cls.read = cls.server.client("read")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def seq(self):
        return self.read.get("/api/v1/changes").value["last_seq"]

    def refused(self, status, *pointers, **call):
        before = self.seq()
        reply = self.ingest.post(PATH, **call)
        self.assertEqual(reply.status, status, reply.body)
        got = [fault["pointer"] for fault in reply.value.get("errors", [])]
        for pointer in pointers:
            self.assertIn(pointer, got)
        self.assertEqual(self.seq(), before, "something was stored")
        return reply

    def stored(self, **call):
        reply = self.ingest.post(PATH, **call)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.value

    def test_a_score_above_the_threshold_becomes_a_finding(self):
        value = self.stored(value=batch(score("i-json", score=0.9), score("i-low", score=0.1)))
        self.assertEqual(
            value,
            {"observations": 2, "flagged": 1, "findings_new": 1, "findings_updated": 0,
             "repeated": False},
        )
        found = self.read.get("/api/v1/findings?entity=i-json").value["findings"]
        self.assertEqual(len(found), 1)
        self.assertEqual(
            {k: found[0][k] for k in ("entity", "ip", "score", "status", "verdict", "spec")},
            {"entity": "i-json", "ip": "192.0.2.7", "score": 0.9, "status": "new",
             "verdict": None, "spec": "vpc-egress"},
        )
        self.assertEqual(self.read.get("/api/v1/findings?entity=i-low").value["findings"], [])

    def test_a_pair_seen_again_adds_to_its_finding(self):
        self.stored(value=batch(score("i-again", score=0.7, count=3)))
        value = self.stored(
            value=batch(score("i-again", score=0.8, count=4, time="2026-11-24T09:30:00.000Z"))
        )
        self.assertEqual((value["findings_new"], value["findings_updated"]), (0, 1))
        (found,) = self.read.get("/api/v1/findings?entity=i-again").value["findings"]
        self.assertEqual((found["sightings"], found["observations"]), (2, 7))
        self.assertEqual((found["score"], found["last_seen"]), (0.8, "2026-11-24T09:30:00.000Z"))

    def test_dot_product_is_the_negated_score(self):
        self.stored(value=batch(score("i-dot", dot_product=-0.75)))
        (found,) = self.read.get("/api/v1/findings?entity=i-dot").value["findings"]
        self.assertEqual(found["score"], 0.75)

    def test_an_ipv6_address_is_written_in_one_form(self):
        self.stored(value=batch(score("i-v6", ip="2001:DB8:0::0001", score=0.9)))
        (found,) = self.read.get("/api/v1/findings?ip=2001:db8::/64&entity=i-v6").value["findings"]
        self.assertEqual(found["ip"], "2001:db8::1")

    def test_lines(self):
        lines = "\n".join(json.dumps(score(f"i-line{n}", score=0.9)) for n in range(3)) + "\n\n"
        value = self.ingest.post(
            PATH + "?model=outside-1&spec=vpc-egress&threshold=0.5", body=lines.encode(),
            type="application/x-ndjson",
        ).value
        self.assertEqual((value["observations"], value["findings_new"]), (3, 3))

    def lines_of(self, thing, *rows, status=200, **headers):
        body = "\n".join(json.dumps(line) for line in ([{"object": thing}] if thing else []) + list(rows))
        reply = self.ingest.post(PATH + "?model=outside-1&spec=vpc-egress&threshold=0.5", body=body.encode(),
                                 type="application/x-ndjson", headers=headers)
        self.assertEqual(reply.status, status, reply.body)
        return reply.value

    def ledger(self, key):
        found = [o for o in self.read.get("/api/v1/objects?limit=500").value["objects"] if o["key"] == key]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_an_object_is_stored_once_whoever_sends_it(self):
        thing = {"bucket": "lake", "key": "aws/once.parquet", "etag": "e1", "size_bytes": 9, "rows": 30, "pairs": 4,
                 "scored": 3, "unscored": {"no_ip": 26}}
        rows = [score(f"i-object{n}", score=0.9, entity_known=n > 0, known_bits=8 * n) for n in range(3)]
        first = self.lines_of(thing, *rows, **{"Idempotency-Key": "one"})
        self.assertEqual((first["observations"], first["findings_new"], first["repeated"]), (3, 3, False))
        for key in ("one", "two"):
            again = self.lines_of(thing, *rows, **{"Idempotency-Key": key})
            self.assertTrue(again["repeated"])
        told = self.ledger("aws/once.parquet")
        self.assertEqual({k: told[k] for k in ("rows", "pairs", "scored", "unscored", "error", "attempts")},
                         {"rows": 30, "pairs": 4, "scored": 3, "unscored": {"no_ip": 26}, "error": None, "attempts": 1})
        (found,) = self.read.get("/api/v1/findings?entity=i-object0").value["findings"]
        self.assertFalse(found["entity_known"])
        self.assertEqual(found["sightings"], 1)

    def test_an_object_in_parts(self):
        thing = {"bucket": "lake", "key": "aws/parts.parquet", "etag": "e1", "size_bytes": 9, "rows": 3, "pairs": 3,
                 "scored": 3}
        rows = [score("i-parts", ip=f"192.0.2.{n}", score=0.9) for n in range(3)]
        self.lines_of(thing, *rows[:2])
        self.assertEqual(self.ledger("aws/parts.parquet")["error_code"], "incomplete")
        self.lines_of({**thing, "key": "aws/other.parquet", "offset": 2}, rows[2], status=409)
        self.assertTrue(self.lines_of(thing, *rows[:2])["repeated"])
        self.assertEqual(self.lines_of({**thing, "offset": 2}, rows[2])["observations"], 1)
        self.assertIsNone(self.ledger("aws/parts.parquet")["error"])
        self.assertEqual(len(self.read.get("/api/v1/findings?entity=i-parts").value["findings"]), 3)

    def test_an_object_that_failed_and_one_without_pairs(self):
        thing = {"bucket": "lake", "key": "aws/failed.parquet", "etag": "e1", "size_bytes": 9}
        self.lines_of({**thing, "error": {"code": "corrupt", "detail": "the file is cut short"}})
        told = self.ledger("aws/failed.parquet")
        self.assertEqual((told["error_code"], told["error"]), ("corrupt", "the file is cut short"))
        self.lines_of({**thing, "rows": 7, "error": None})
        self.assertEqual((self.ledger("aws/failed.parquet")["error"], told["rows"]), (None, 0))

    def test_faults_of_an_object(self):
        good = {"bucket": "lake", "key": "aws/x.parquet", "etag": "e1", "size_bytes": 9, "scored": 1}
        row = score("i-object-fault")
        for change, pointer in (
            ({"bucket": None}, "/bucket"), ({"key": "x" * 1025}, "/key"), ({"key": "a\nb"}, "/key"),
            ({"etag": 5}, "/etag"), ({"size_bytes": -1}, "/size_bytes"), ({"scored": 0}, ""), ({"offset": 1}, ""),
            ({"unscored": []}, "/unscored"), ({"unscored": {"A b": 1}}, "/unscored"), ({"unscored": {"a": -1}}, "/unscored"),
            ({"error": {"code": "corrupt"}}, "/error/detail"), ({"error": {"code": "A", "detail": "x"}}, "/error"),
            ({"error": {"code": "corrupt", "detail": "x"}}, ""), ({"surprise": 1}, "/surprise"),
        ):
            with self.subTest(change=str(change)[:60]):
                before = self.seq()
                value = self.lines_of(changed(good, change), row, status=422)
                self.assertIn("/0/object" + pointer, [e["pointer"] for e in value["errors"]])
                self.assertEqual(self.seq(), before)
        value = self.lines_of(None, row, {"object": good}, status=422)
        self.assertIn("/1/object", [e["pointer"] for e in value["errors"]])

    def test_an_explanation_is_kept_and_its_faults_are_told(self):
        good = {"opinion": "stranger", "known_bits": 8, "bearers": 0, "neighbours": 2,
                "nearest": {"ip": "192.0.2.9", "last_seen": "2026-11-01T00:00:00.000Z"},
                "opinions": [{"name": "stranger", "score": 7.25, "percentile": None, "flagged": True}],
                "levels": [{"prefix": "192.0.0.0/8", "entity": -1.5, "others": 0.1, "ip_insights": 0}],
                "networks": [{"network": "10.0.0.0/16", "observations": 12, "share": 1}]}
        system = {"asn": 64500, "name": "Example", "known": False, "share": 0, "entities": 3, "evidence": -2.5}
        self.stored(value=batch(score("i-whose", score=0.9, explanation={
            **good, "bearer_names": ["i-2", "i-3"], "system": system})))
        (found,) = self.read.get("/api/v1/findings?entity=i-whose").value["findings"]
        kept = self.read.get(f"/api/v1/findings/{found['id']}").value["explanation"]
        self.assertEqual((kept["bearer_names"], kept["system"]), (["i-2", "i-3"], system))
        self.stored(value=batch(score("i-why", score=0.9, explanation=good)))
        (found,) = self.read.get("/api/v1/findings?entity=i-why").value["findings"]
        self.assertEqual(self.read.get(f"/api/v1/findings/{found['id']}").value["explanation"], good)
        for change, pointer in (
            ({"opinion": "x"}, "/opinion"), ({"bearers": -1}, "/bearers"), ({"nearest": {}}, "/nearest/ip"),
            ({"opinions": None}, "/opinions"), ({"opinions": {}}, "/opinions"), ({"levels": [7]}, "/levels/0"),
            ({"levels": [{**good["levels"][0], "prefix": "<b>"}]}, "/levels/0"),
            ({"networks": good["networks"] * 65}, "/networks"), ({"extra": "x" * 9}, "/extra"),
            ({"bearer_names": ["x"] * 9}, "/bearer_names"), ({"bearer_names": [7]}, "/bearer_names/0"),
            ({"system": {**system, "asn": 0}}, "/system/asn"), ({"system": {**system, "name": 7}}, "/system/name"),
            ({"system": {**system, "share": 2}}, "/system/share"), ({"system": {}}, "/system/asn"),
        ):
            with self.subTest(change=str(change)[:60]):
                row = score("i-why-not", score=0.9, explanation=changed(good, change))
                self.refused(422, "/scores/0/explanation" + pointer, value=batch(row))

    def test_a_fault_of_a_line_points_to_it(self):
        lines = [json.dumps(score("i-ok")), "{", json.dumps(score("i-bad", ip="x")), "[]"]
        before = self.seq()
        reply = self.ingest.post(
            PATH + "?model=outside-1&spec=vpc-egress&threshold=0.5",
            body="\n".join(lines).encode(), type="application/x-ndjson",
        )
        self.assertIn(reply.status, (400, 422))
        self.assertEqual([e["pointer"] for e in reply.value["errors"]], ["/1", "/2/ip", "/3"])
        self.assertEqual(self.seq(), before)

    def test_sagemaker_shape(self):
        value = self.stored(value={
            "model": "sm-1", "detector": "sagemaker", "spec": "vpc-egress", "threshold": 0.5,
            "time": "2026-11-24T08:00:00Z",
            "rows": [["i-sm", "192.0.2.1"], ["i-sm", "192.0.2.2", "2026-11-24T09:00:00+01:00"]],
            "predictions": [{"dot_product": -0.9}, {"dot_product": 0.3, "extra": 1}],
        })
        self.assertEqual((value["observations"], value["flagged"]), (2, 1))

    def test_sagemaker_faults(self):
        good = {
            "model": "sm-1", "spec": "vpc-egress", "threshold": 0.5,
            "time": "2026-11-24T08:00:00Z", "rows": [["i-sm", "192.0.2.1"]],
            "predictions": [{"dot_product": -0.9}],
        }
        for change, pointer in (
            ({"predictions": [{"dot_product": 1}, {"dot_product": 2}]}, "/predictions"),
            ({"predictions": [{}]}, "/predictions/0/dot_product"),
            ({"predictions": [{"dot_product": "1"}]}, "/predictions/0/dot_product"),
            ({"predictions": {}}, "/predictions"),
            ({"rows": []}, "/rows"),
            ({"rows": [["i-sm"]]}, "/rows/0"),
            ({"rows": [["i-sm", "192.0.2.1", "never"]]}, "/rows/0/2"),
            ({"rows": [["i-sm", "nowhere"]]}, "/rows/0/1"),
            ({"rows": [[1, "192.0.2.1"]]}, "/rows/0/0"),
            ({"time": None}, "/rows/0"),
            ({"spec": None}, "/spec"),
            ({"scores": []}, "/scores"),
        ):
            with self.subTest(pointer=pointer, change=change):
                self.refused(422, pointer, value=changed(good, change))

    def test_gzip(self):
        value = self.stored(
            body=gzipped(batch(score("i-gzip", score=0.9))),
            headers={"Content-Encoding": "gzip"},
        )
        self.assertEqual(value["findings_new"], 1)

    def test_damaged_gzip(self):
        data = gzipped(batch(score("i-gzip2", score=0.9)))
        for body in (data[:-9], data[:20] + b"\0" * 20, b"nothing of the kind", data + b"rubbish"):
            with self.subTest(body=body[:8]):
                self.refused(400, body=body, headers={"Content-Encoding": "gzip"})

    def test_a_gzip_bomb_is_too_large(self):
        self.refused(413, body=gzip.compress(b" " * 40_000_000),
                     headers={"Content-Encoding": "gzip"})

    def test_an_unknown_encoding(self):
        self.refused(415, value=batch(score()), headers={"Content-Encoding": "br"})

    def test_every_fault_of_a_row(self):
        for change, member in BAD_ROWS:
            with self.subTest(change=str(change)[:60]):
                row = changed(score("i-fault"), change)
                self.refused(422, "/scores/1" + member, value=batch(score("i-fine"), row))

    def test_the_first_twenty_faults(self):
        reply = self.refused(422, value=batch(*[score(ip="x") for _ in range(50)]))
        self.assertEqual([e["pointer"] for e in reply.value["errors"]],
                         [f"/scores/{n}/ip" for n in range(20)])

    def test_faults_of_the_batch(self):
        good = batch(score("i-batch"))
        for change, pointer in (
            ({"model": None}, "/model"),
            ({"model": "no spaces please"}, "/model"),
            ({"threshold": "0.5"}, "/threshold"),
            ({"scores": []}, "/scores"),
            ({"scores": {}}, "/scores"),
            ({"scores": None}, "/scores"),
            ({"spec": "UPPER"}, "/spec"),
            ({"spec": None}, "/scores/0/spec"),
            ({"detector": ""}, "/detector"),
            ({"more": 1}, "/more"),
        ):
            with self.subTest(pointer=pointer, change=change):
                self.refused(422, pointer, value=changed(good, change))

    def test_numbers_that_are_none(self):
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "01", "1.", ".5", "0x1"):
            with self.subTest(number=number):
                body = json.dumps(batch(score(score=12345))).replace("12345", number)
                reply = self.ingest.post(PATH, body=body.encode())
                self.assertIn(reply.status, (400, 422), reply.body)
                self.assertEqual([e["pointer"] for e in reply.value["errors"]], ["/scores/0/score"])

    def test_bodies_that_are_no_json(self):
        for body in (b"", b"{", b"[]", b"null", b"{}x", b'{"model":"a","model":"b"}', b"\xff\xfe",
                     b"[" * 100000, b'"' + b"\xed\xa0\x80" + b'"',
                     json.dumps(batch(score("a\0b"))).encode()):
            with self.subTest(body=body[:10]):
                reply = self.ingest.post(PATH, body=body)
                self.assertIn(reply.status, (400, 422), reply.body)
                self.assertEqual(len(reply.value["errors"]), 1, reply.body)

    def test_a_row_has_all_its_faults_told(self):
        row = score(ip="x", count=0, score=1.0, dot_product=1.0)
        value = batch(row)
        del value["spec"]
        self.refused(422, "/scores/0", "/scores/0/ip", "/scores/0/count", "/scores/0/spec",
                     value=value)

    def test_a_threshold_is_needed_for_an_unknown_model(self):
        value = batch(score("i-unknown"), model="never-seen")
        del value["threshold"]
        self.refused(422, "/threshold", value=value)
        self.assertEqual(self.ingest.post(PATH, batch(score("i-un"), model="now-seen")).status, 200)
        value = batch(score("i-known"), model="now-seen")
        del value["threshold"]
        self.assertEqual(self.ingest.post(PATH, value).status, 200)

    def test_a_model_has_a_hundred_specs(self):
        def rows(first, end):
            return [score("e", spec=f"s{n}", score=1) for n in range(first, end)]
        for first, end, status in ((0, 60, 200), (60, 100, 200), (99, 101, 413), (99, 100, 200)):
            reply = self.ingest.post("/api/v1/scores", batch(*rows(first, end), model="broad"))
            self.assertEqual(reply.status, status, reply.body)

    def test_a_key_makes_a_request_happen_once(self):
        value = batch(score("i-once", score=0.9))
        key = {"Idempotency-Key": '"key-1"'}
        first = self.stored(value=value, headers=key)
        self.assertFalse(first["repeated"])
        seq = self.seq()
        again = self.stored(value=value, headers=key)
        self.assertEqual(again, {**first, "repeated": True})
        self.assertEqual(self.seq(), seq)
        self.refused(409, value=batch(score("i-other", score=0.9)), headers=key)
        other = self.server.admin.post(PATH, batch(score("i-other", score=0.9)), headers=key)
        self.assertEqual(other.status, 200, "keys belong to their caller")

    def test_a_key_of_bad_form(self):
        for key in ("", "x" * 256, "a b\x7f", '"'):
            with self.subTest(key=key):
                self.refused(400, value=batch(score()), headers={"Idempotency-Key": key})

    def test_too_many_rows(self):
        body = b"\n".join([json.dumps(score()).encode()] * 100001)
        self.refused_lines(413, body)

    def refused_lines(self, status, body):
        before = self.seq()
        reply = self.ingest.post(PATH + "?model=outside-1&spec=vpc-egress&threshold=0.5",
                                 body=body, type="application/x-ndjson")
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(self.seq(), before)

    def test_a_hundred_thousand_rows(self):
        rows = [score(f"e{n % 500}", ip=f"198.51.{n // 256 % 256}.{n % 256}", score=0.1)
                for n in range(100000)]
        value = self.stored(body=gzipped(batch(*rows)), headers={"Content-Encoding": "gzip"})
        self.assertEqual((value["observations"], value["flagged"]), (100000, 0))

    def test_a_large_body_that_several_send_at_once(self):
        body = b"\n".join(json.dumps(score(f"twice{n % 500}", ip=f"198.51.{n // 256 % 256}.{n % 256}",
                                           score=9 if n % 50 == 0 else 0.1)).encode() for n in range(45000))
        self.assertGreater(len(body), 4 << 20)  # so that its lines are given back as they are read
        counted = []

        def send():
            reply = self.server.client("ingest").post(PATH + "?model=outside-1&spec=vpc-egress&threshold=0.5",
                                                      body=body, type="application/x-ndjson")
            counted.append([reply.value[name] for name in ("observations", "flagged", "findings_new")])

        senders = [threading.Thread(target=send) for _ in range(3)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        self.assertEqual([(first, second) for first, second, _ in counted], [(45000, 900)] * 3)
        self.assertGreater(max(new for _, _, new in counted), 0)


if __name__ == "__main__":
    unittest.main()
