"""Findings: lists and cursors, one with its tag, triage by merge-patch, bulk, notes, history."""
import unittest

from server import Server, batch, score

FINDINGS = "/api/v1/findings"
VERDICTS = ["true_positive", "false_positive", "benign", "suspicious", "duplicate", "test",
            "insufficient_data", "disregard", "security_risk", "managed_externally"]


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.ingest = cls.server.client("ingest")
        cls.read = cls.server.client("read")
        cls.triage = cls.server.client("triage")
        cls.fill()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def fill(cls):
        pass

    @classmethod
    def store(cls, *rows, **more):
        reply = cls.ingest.post("/api/v1/scores", batch(*rows, **more))
        assert reply.status == 200, reply.body

    def finding(self, entity, **more):
        self.store(score(entity, score=0.9, **more))
        (found,) = self.read.get(f"{FINDINGS}?entity={entity}").value["findings"]
        return found


class Lists(Base):
    @classmethod
    def fill(cls):
        rows = [
            score(f"host-{n:02}", ip=f"198.51.100.{n}", score=1 + n % 7,
                  time=f"2026-11-{1 + n % 20:02}T10:00:00.000Z", account=f"{n % 3}" * 12,
                  percentile=99 + n / 100)
            for n in range(60)
        ]
        cls.store(*rows)
        cls.store(score("host-v6", ip="2001:db8:1::5", score=3.5), spec="dns-answer")
        cls.store(score("other_%", ip="203.0.113.9", score=9.5), spec="dns-answer")
        cls.store(score("otherXY", ip="203.0.113.10", score=9.25), spec="dns-answer")

    def entities(self, query):
        reply = self.read.get(f"{FINDINGS}?{query}")
        self.assertEqual(reply.status, 200, reply.body)
        return [found["entity"] for found in reply.value["findings"]]

    def walk(self, query):
        """All pages; the body's next and the Link header name the same."""
        path, seen, pages = f"{FINDINGS}?{query}", [], 0
        while path is not None:
            reply = self.read.get(path)
            self.assertEqual(reply.status, 200, reply.body)
            seen += reply.value["findings"]
            path = reply.value["next"]
            if path is None:
                self.assertNotIn("link", reply.headers)
            else:
                self.assertEqual(reply.headers["link"], f'<{path}>; rel="next"')
            pages += 1
            self.assertLess(pages, 100)
        return seen, pages

    def test_pages_hold_each_finding_once_in_order(self):
        for sort, key in (("time", lambda f: (f["last_seen"], f["id"])),
                          ("score", lambda f: (f["percentile"] or -1, f["score"], f["id"]))):
            for limit in (1, 7, 50, 500):
                with self.subTest(sort=sort, limit=limit):
                    seen, pages = self.walk(f"sort={sort}&limit={limit}")
                    self.assertEqual(len({f["id"] for f in seen}), 63)
                    self.assertEqual(len(seen), 63)
                    self.assertEqual(pages, -(-63 // limit))
                    if sort == "time":
                        self.assertEqual(seen, sorted(seen, key=key, reverse=True))

    def test_sorted_by_score(self):
        """The highest whole percent up to 95 first, then the highest score; without a percentile last."""
        seen, _ = self.walk("sort=score&limit=10")
        ranks = [(-1 if f["percentile"] is None else min(int(f["percentile"]), 95), f["score"])
                 for f in seen]
        self.assertEqual(ranks, sorted(ranks, reverse=True))
        self.assertEqual([f["entity"] for f in seen[-3:]], ["other_%", "otherXY", "host-v6"])

    def test_filters(self):
        for query, wanted in (
            ("entity=host-07", ["host-07"]),
            ("entity=host-1*&sort=score&limit=500", 10),
            ("entity=other_%25", ["other_%"]),
            ("entity=other_*", ["other_%"]),
            ("entity=HOST-07", []),
            ("entity=*", 50),
            ("ip=198.51.100.7", ["host-07"]),
            ("ip=198.51.100.0/29", 8),
            ("ip=2001:db8::/32", ["host-v6"]),
            ("ip=::/0&limit=500", 63),
            ("ip=0.0.0.0/0&limit=500", 62),
            ("spec=dns-answer", 3),
            ("spec=no-such-spec", []),
            ("min_score=9.4", ["other_%"]),
            ("min_percentile=99.58", ["host-59", "host-58"]),
            ("q=HOST-0&limit=500", 10),
            ("q=203.0.113", 2),
            ("q=111111111111&limit=500", 20),
            ("q=%25", ["other_%"]),
            ("since=2026-11-20T10:00:00Z&until=2026-11-20T10:00:00.001Z", 3),
            ("since=2026-11-20T10:00:00.001Z&until=2026-11-20T11:00:00Z", []),
            ("status=new,in_progress&limit=500", 63),
            ("status=resolved", []),
            ("verdict=none&limit=500", 63),
            ("verdict=benign,test", []),
            ("assignee=none&limit=500", 63),
            ("assignee=root", []),
            ("tag=nothing-has-it", []),
        ):
            with self.subTest(query=query):
                got = self.entities(query)
                if isinstance(wanted, int):
                    self.assertEqual(len(got), wanted)
                else:
                    self.assertEqual(sorted(got), sorted(wanted))

    def test_bad_parameters(self):
        for query, name in (
            ("limit=0", "limit"), ("limit=501", "limit"), ("limit=1.0", "limit"),
            ("limit=", "limit"), ("sort=id", "sort"), ("status=open", "status"),
            ("status=new,,resolved", "status"), ("verdict=null", "verdict"),
            ("ip=10.0.0.1/8", "ip"), ("ip=x", "ip"), ("min_score=nan", "min_score"),
            ("min_score=1e999", "min_score"), ("min_percentile=101", "min_percentile"),
            ("since=9999-01-01T00:00:00Z", "since"), ("until=now", "until"),
            ("entity=", "entity"), ("q=" + "x" * 201, "q"), ("tag=UPPER", "tag"),
            ("spec=No+Spec", "spec"), ("assignee=", "assignee"), ("nonsense=1", "nonsense"),
            ("cursor=!!", "cursor"), ("cursor=AAAA", "cursor"), ("cursor=" + "A" * 600, "cursor"),
        ):
            with self.subTest(query=query[:40]):
                reply = self.read.get(f"{FINDINGS}?{query}")
                self.assertEqual(reply.status, 400, reply.body)
                self.assertIn(f"?{name}", [e["pointer"] for e in reply.value["errors"]])

    def test_two_faults_are_both_told(self):
        reply = self.read.get(f"{FINDINGS}?limit=0&nonsense=1")
        self.assertEqual({e["pointer"] for e in reply.value["errors"]}, {"?limit", "?nonsense"})

    def test_a_parameter_given_twice(self):
        self.assertEqual(self.read.get(f"{FINDINGS}?limit=1&limit=2").status, 400)

    def test_foreign_and_altered_cursors(self):
        page = self.read.get(f"{FINDINGS}?limit=5&sort=time").value
        cursor = page["next"].split("cursor=")[1].split("&")[0]
        self.assertEqual(self.read.get(f"{FINDINGS}?limit=5&sort=time&cursor={cursor}").status, 200)
        for query in (
            f"limit=5&sort=score&cursor={cursor}",
            f"limit=5&sort=time&spec=dns-answer&cursor={cursor}",
            f"limit=5&sort=time&cursor={cursor[:-1]}",
            f"limit=5&sort=time&cursor={cursor}A",
            *(f"limit=5&sort=time&cursor={cursor[:at]}{'B' if cursor[at] != 'B' else 'C'}"
              f"{cursor[at + 1:]}" for at in range(len(cursor))),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.read.get(f"{FINDINGS}?{query}").status, 400)


class Arrivals(Base):
    def test_new_arrivals_do_not_disturb_the_walk(self):
        self.store(*[score(f"host-{n:02}", score=1, time=f"2026-11-{1 + n % 20:02}T10:00:00.000Z")
                     for n in range(60)])
        first = self.read.get(f"{FINDINGS}?limit=30").value
        self.store(score("newcomer", score=1, time="2026-11-23T00:00:00.000Z"))
        rest = self.read.get(first["next"]).value["findings"]
        self.assertEqual(len({f["id"] for f in first["findings"] + rest}), 60)
        self.assertNotIn("newcomer", [f["entity"] for f in rest])
        (found,) = self.read.get(f"{FINDINGS}?entity=newcomer").value["findings"]
        self.assertGreater(found["seq"], first["last_seq"])


class One(Base):
    def test_get(self):
        found = self.finding("one", account="1" * 12, region="eu-west-1", percentile=99.5)
        reply = self.read.get(f"{FINDINGS}/{found['id']}")
        self.assertEqual(reply.value["finding"], found)
        self.assertEqual(reply.value["threshold"], 0.5)
        self.assertEqual(reply.headers["etag"], f'"v{found["version"]}"')
        self.assertEqual((found["account"], found["region"], found["percentile"]),
                         ("1" * 12, "eu-west-1", 99.5))

    def test_not_modified(self):
        found = self.finding("cached")
        path = f"{FINDINGS}/{found['id']}"
        for tag in ('"v1"', 'W/"v1"', '"x", "v1"', "*"):
            reply = self.read.get(path, headers={"If-None-Match": tag})
            self.assertEqual((reply.status, reply.body), (304, b""), tag)
            self.assertEqual(reply.headers["etag"], '"v1"')
        for tag in ('"v2"', "v1", '"v11"', '""'):
            self.assertEqual(self.read.get(path, headers={"If-None-Match": tag}).status, 200, tag)

    def test_not_found(self):
        for name in ("999999", "0", "-1", "x", "1.0", "9" * 30, "%00", "1%2F2", "+1", "1 "):
            for more in ("", "/notes", "/history", "/sightings"):
                with self.subTest(name=name, more=more):
                    path = f"{FINDINGS}/{name.replace(' ', '%20')}{more}"
                    self.assertIn(self.read.raw("GET", path).status, (404, 400))

    def test_sightings(self):
        for hour in (8, 9, 9):
            self.store(score("seen", score=0.9, time=f"2026-11-20T{hour:02}:10:00.000Z", count=2))
        (found,) = self.read.get(f"{FINDINGS}?entity=seen").value["findings"]
        value = self.read.get(f"{FINDINGS}/{found['id']}/sightings?limit=2").value
        self.assertEqual(len(value["sightings"]), 2)
        self.assertEqual(value["bucket"], "hour")
        self.assertEqual(value["buckets"], [
            {"time": "2026-11-20T08:00:00.000Z", "count": 2},
            {"time": "2026-11-20T09:00:00.000Z", "count": 4},
        ])
        self.store(score("seen", score=0.9, time="2026-11-24T09:00:00.001Z"))
        value = self.read.get(f"{FINDINGS}/{found['id']}/sightings").value
        self.assertEqual((value["bucket"], len(value["buckets"])), ("day", 2))


class Triage(Base):
    def patch(self, found, change, match=None, **more):
        match = f'"v{found["version"]}"' if match is None else match
        return self.triage.patch(f"{FINDINGS}/{found['id']}", change, match=match or None, **more)

    def test_all_members(self):
        found = self.finding("patched")
        reply = self.patch(found, {"status": "in_progress", "verdict": "suspicious",
                                   "assignee": "tess", "tags": ["zz", "aa"]})
        self.assertEqual(reply.status, 200, reply.body)
        now = reply.value["finding"]
        self.assertEqual(
            {k: now[k] for k in ("status", "verdict", "assignee", "tags", "version")},
            {"status": "in_progress", "verdict": "suspicious", "assignee": "tess",
             "tags": ["aa", "zz"], "version": 2},
        )
        self.assertEqual(reply.headers["etag"], '"v2"')
        self.assertGreater(now["seq"], found["seq"])
        (change,) = [c for c in self.read.get(f"{FINDINGS}/{found['id']}/history").value["changes"]
                     if c["kind"] == "finding_updated"]
        self.assertEqual(change["body"]["status"], {"old": "new", "new": "in_progress"})
        self.assertEqual(change["body"]["tags"], {"old": [], "new": ["aa", "zz"]})
        self.assertEqual(change["actor"], "token:test-triage")
        reply = self.patch(now, {"verdict": None, "assignee": None})
        self.assertEqual((reply.value["finding"]["verdict"], reply.value["finding"]["assignee"],
                          reply.value["finding"]["status"]), (None, None, "in_progress"))

    def test_every_status_and_verdict(self):
        found = self.finding("words")
        for member, words in (("status", ["resolved", "suppressed", "in_progress", "new"]),
                              ("verdict", VERDICTS)):
            for word in words:
                reply = self.patch(found, {member: word})
                self.assertEqual(reply.value["finding"][member], word)
                found = reply.value["finding"]
                listed = self.read.get(f"{FINDINGS}?{member}={word}&entity=words").value
                self.assertEqual([f["id"] for f in listed["findings"]], [found["id"]])

    def test_a_change_of_nothing_leaves_no_trace(self):
        found = self.finding("noop")
        seq = self.read.get("/api/v1/changes").value["last_seq"]
        reply = self.patch(found, {"status": "new", "verdict": None, "tags": []})
        self.assertEqual((reply.status, reply.value["finding"]), (200, found))
        self.assertEqual(self.read.get("/api/v1/changes").value["last_seq"], seq)

    def test_minimal(self):
        found = self.finding("minimal")
        reply = self.patch(found, {"status": "resolved"}, headers={"Prefer": "return=minimal"})
        self.assertEqual((reply.status, reply.body, reply.headers["etag"]), (204, b"", '"v2"'))

    def test_preconditions(self):
        found = self.finding("race")
        self.assertEqual(self.patch(found, {"status": "resolved"}, match="").status, 428)
        for match in ('"v2"', '"v0"', "v1", '"v1', '"x"', 'W/"v1"', '"v01"', '"v1x"'):
            reply = self.patch(found, {"status": "resolved"}, match=match)
            self.assertIn(reply.status, (412, 400), match)
        self.assertEqual(self.patch(found, {"status": "resolved"}, match='"x", "v1"').status, 200)
        lost = self.patch(found, {"status": "new"})
        self.assertEqual(lost.status, 412)
        self.assertEqual(self.patch({"id": 999999, "version": 1}, {"status": "new"}).status, 404)

    def test_any_version(self):
        found = self.finding("any")
        self.assertEqual(self.patch(found, {"status": "resolved"}, match="*").status, 200)

    def test_bad_patches(self):
        found = self.finding("bad")
        for change, pointer in (
            ({}, ""), ({"status": None}, "/status"), ({"status": "open"}, "/status"),
            ({"status": 1}, "/status"), ({"verdict": "none"}, "/verdict"),
            ({"assignee": "No Name"}, "/assignee"), ({"assignee": ""}, "/assignee"),
            ({"tags": None}, "/tags"), ({"tags": "a"}, "/tags"), ({"tags": ["a", "a"]}, "/tags/1"),
            ({"tags": [1]}, "/tags/0"), ({"tags": ["UPPER"]}, "/tags/0"),
            ({"tags": [f"t{n}" for n in range(21)]}, "/tags"), ({"tags": ["x" * 51]}, "/tags/0"),
            ({"score": 1}, "/score"), ({"status": "new", "x": 1}, "/x"),
        ):
            with self.subTest(change=str(change)[:50]):
                reply = self.patch(found, change)
                self.assertEqual(reply.status, 422, reply.body)
                self.assertIn(pointer, [e["pointer"] for e in reply.value["errors"]])

    def test_the_media_type(self):
        found = self.finding("media")
        for type in ("application/json", "text/plain", "application/json-patch+json"):
            self.assertEqual(self.patch(found, {"status": "new"}, type=type).status, 415)
        type = "Application/Merge-Patch+JSON; charset=utf-8"
        self.assertEqual(self.patch(found, {"status": "resolved"}, type=type).status, 200)

    def test_notes(self):
        found = self.finding("noted")
        path = f"{FINDINGS}/{found['id']}/notes"
        text = "first line\nsecond <b>line</b> \u00e9\U0001f600\ttab"
        reply = self.triage.post(path, {"text": text})
        self.assertEqual((reply.status, reply.value["text"], reply.value["author"]),
                         (201, text, "token:test-triage"))
        self.triage.post(path, {"text": "another"})
        notes = self.read.get(path).value["notes"]
        self.assertEqual([n["text"] for n in notes], [text, "another"])
        for bad, pointer in (({"text": ""}, "/text"), ({"text": "x" * 10001}, "/text"), ({}, "/text"),
                             ({"text": 1}, "/text"), ({"text": "a\u0001"}, "/text"),
                             ({"text": "a", "b": 1}, "/b")):
            reply = self.triage.post(path, bad)
            self.assertEqual(reply.status, 422, bad)
            self.assertIn(pointer, [e["pointer"] for e in reply.value["errors"]])
        self.assertEqual(self.triage.post(f"{FINDINGS}/999999/notes", {"text": "a"}).status, 404)
        kinds = [c["kind"] for c in self.read.get(f"{FINDINGS}/{found['id']}/history").value["changes"]]
        self.assertEqual(kinds, ["finding_created", "note_added", "note_added"])

    def test_bulk_and_its_undo(self):
        one, two, three = (self.finding(f"bulk-{n}") for n in range(3))
        self.patch(two, {"status": "in_progress"})
        items = [{"id": f["id"], "version": f["version"],
                  "patch": {"status": "resolved", "verdict": "benign"}} for f in (one, two, three)]
        items.append({"id": 999999, "version": 1, "patch": {"status": "new"}})
        items.append({"id": three["id"], "version": 2, "patch": {"status": "resolved"}})
        reply = self.triage.post(f"{FINDINGS}/bulk", {"items": items})
        self.assertEqual(reply.status, 200, reply.body)
        results = reply.value["results"]
        self.assertEqual([r["outcome"] for r in results],
                         ["changed", "lost_race", "changed", "not_found", "unchanged"])
        self.assertEqual([r["version"] for r in results], [2, 2, 2, None, 2])
        self.assertEqual([r["id"] for r in results], [i["id"] for i in items])
        self.assertEqual(results[0]["previous"], {"status": "new", "verdict": None})
        self.assertIsNone(results[1]["previous"])
        undo = [{"id": r["id"], "version": r["version"], "patch": r["previous"]}
                for r in results if r["outcome"] == "changed"]
        results = self.triage.post(f"{FINDINGS}/bulk", {"items": undo}).value["results"]
        self.assertEqual([r["outcome"] for r in results], ["changed", "changed"])
        again = self.read.get(f"{FINDINGS}/{one['id']}").value["finding"]
        self.assertEqual((again["status"], again["verdict"], again["version"]), ("new", None, 3))

    def test_bad_bulk(self):
        found = self.finding("bulk-bad")
        good = {"id": found["id"], "version": 1, "patch": {"status": "resolved"}}
        for items, pointer in (
            ([], "/items"), ({}, "/items"), ([good] * 501, "/items"), ([1], "/items/0"),
            ([{**good, "id": 0}], "/items/0/id"), ([{**good, "version": 0}], "/items/0/version"),
            ([good, {**good, "patch": {}}], "/items/1/patch"),
            ([good, {**good, "patch": {"status": "x"}}], "/items/1/patch/status"),
            ([good, {**good, "patch": {"tags": ["a", "B"]}}], "/items/1/patch/tags/1"),
            ([{**good, "more": 1}], "/items/0/more"),
        ):
            with self.subTest(pointer=pointer):
                reply = self.triage.post(f"{FINDINGS}/bulk", {"items": items})
                self.assertEqual(reply.status, 422, reply.body)
                self.assertIn(pointer, [e["pointer"] for e in reply.value["errors"]])
        self.assertEqual(self.read.get(f"{FINDINGS}/{found['id']}").value["finding"], found)

    def test_filters_of_triage(self):
        found = self.finding("filtered")
        self.patch(found, {"status": "resolved", "verdict": "test", "assignee": "rita",
                           "tags": ["phish", "phishing"]})
        for query in ("status=resolved&verdict=test", "assignee=rita", "tag=phish", "q=PHISHING"):
            got = [f["entity"] for f in self.read.get(f"{FINDINGS}?{query}").value["findings"]]
            self.assertEqual(got, ["filtered"], query)
        self.assertEqual(self.read.get(f"{FINDINGS}?tag=phis").value["findings"], [])



if __name__ == "__main__":
    unittest.main()
