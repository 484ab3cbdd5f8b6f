"""GET and PATCH /api/v1/models/{id}: what a model did by the day, and who moves it."""
import subprocess
import unittest

from server import BINARY, Server

DAYS = 6


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        try:
            cls.prepare()
        except BaseException:
            cls.server.__exit__(None, None, None)
            raise

    @classmethod
    def prepare(cls):
        cls.run_program("simulate", "--entities", "60", "--days", str(DAYS), "--seed", "4", "--out", "lake")
        cls.run_program("train", "--out", "one.model", "--epochs", "1", "--alerts-per-day", "25",
                        "--until", cls.day(3), "lake")
        cls.run_program("train", "--out", "two.model", "--epochs", "1", "--detector", "ip_insights",
                        "--threshold-percentile", "99", "lake")
        cls.server.__enter__()
        for action, name in (("activate", "one"), ("shadow", "two")):
            cls.server.command("model", action, f"{name}.model")
        cls.server.command("work", "--queue", "dir:lake", "--once")
        cls.read, cls.root = cls.server.client("read"), cls.server.client("admin")
        outside = {"model": "outside-9", "detector": "fixture", "threshold": 1, "spec": "waf-client",
                   "scores": [{"entity": "a", "ip": "192.0.2.1", "time": "2026-01-31T12:00:00.000Z", "score": 0}]}
        assert cls.server.client("ingest").post("/api/v1/scores", outside).status == 200

    @classmethod
    def day(cls, i):
        days = sorted({path.name.split("=")[1] for path in (cls.server.folder / "lake").rglob("eventDay=*")})
        return f"{days[i][:4]}-{days[i][4:6]}-{days[i][6:]}"

    @classmethod
    def run_program(cls, *arguments):
        done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=300,
                              cwd=cls.server.folder)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode} {done.stderr[-2000:]}")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def models(self):
        return {model["state"]: model for model in self.read.get("/api/v1/models").value["models"]
                if model["scored_by"] == "file"}

    def detail(self, model):
        return self.read.get(f"/api/v1/models/{model['id']}")

    def move(self, model, state, match, client=None):
        return (client or self.root).patch(f"/api/v1/models/{model['id']}", {"state": state}, match=match)

    def test_a_threshold_says_how_it_was_set(self):
        models = self.models()
        self.assertEqual({(t["rule"], t["rule_value"]) for t in models["active"]["thresholds"]}, {("budget", 25)})
        self.assertEqual({(t["rule"], t["rule_value"]) for t in models["shadow"]["thresholds"]}, {("percentile", 99)})
        outside = self.read.get("/api/v1/models/outside-9").value["model"]
        self.assertEqual((outside["scored_by"], outside["thresholds"][0]["rule"]), ("outside", None))

    def test_days_add_up(self):
        value = self.detail(self.models()["active"]).value
        days = value["days"]
        self.assertEqual(len({day["day"] for day in days}), DAYS)
        for spec in {day["spec"] for day in days}:
            mine = [day for day in days if day["spec"] == spec]
            findings = self.read.get(f"/api/v1/findings?spec={spec}&limit=500").value["findings"]
            self.assertEqual(sum(day["findings"] for day in mine), len(findings))
            self.assertGreaterEqual(sum(day["flagged"] for day in mine), len(findings))
        self.assertTrue(all(day["psi"] is not None for day in days))

    def test_differences_say_what_each_was_held_against(self):
        models = self.models()
        value = self.detail(models["shadow"]).value
        self.assertGreater(len(value["differences"]), 0)
        for row in value["differences"]:
            self.assertEqual(row["active"], models["active"]["id"])
            by_active = row["active_score"] > row["active_threshold"]
            by_shadow = row["shadow_score"] > row["shadow_threshold"]
            self.assertEqual((by_active, by_shadow), (row["flagged_by"] == "active", row["flagged_by"] == "shadow"))
        later = self.read.get(f"/api/v1/models/{models['shadow']['id']}?since=2099-01-01T00:00:00.000Z").value
        self.assertEqual(later["comparisons"], [])

    def test_a_finding_says_what_it_was_held_against(self):
        finding = self.read.get("/api/v1/findings?limit=1&sort=score").value["findings"][0]
        found = self.read.get(f"/api/v1/findings/{finding['id']}").value
        judged = found["explanation"]["judged_by"]
        self.assertEqual(judged["threshold"], found["threshold"])
        self.assertGreater(found["finding"]["score"], judged["threshold"])
        self.assertIsNone(judged["window"], "all was stored today: no day before it")

    def test_moves(self):
        models = self.models()
        active, shadow = models["active"], models["shadow"]
        match = self.detail(shadow).headers["etag"]
        self.assertEqual(self.move(shadow, "active", match, self.server.client("triage")).status, 403)
        self.assertEqual(self.move(shadow, "active", None).status, 428)
        self.assertEqual(self.move(shadow, "retired", match).status, 422)
        done = self.move(shadow, "active", match)
        self.assertEqual((done.status, done.value["state"]), (200, "active"), done.body)
        self.assertEqual(self.move(shadow, "active", match).status, 412, "it is another now")
        changed = done.headers["etag"]
        self.assertEqual(self.detail(shadow).headers["etag"], changed)
        again = self.move(shadow, "active", changed)
        self.assertEqual((again.status, again.headers["etag"]), (200, changed), "nothing to do")
        self.assertEqual(self.move(shadow, "candidate", changed).status, 409, "nothing would score")
        self.assertEqual(self.detail(active).value["model"]["state"], "retired")
        back = self.move(active, "active", self.detail(active).headers["etag"])
        self.assertEqual((back.status, back.value["state"]), (200, "active"))
        end = self.move(shadow, "shadow", self.detail(shadow).headers["etag"])
        self.assertEqual(end.value["state"], "shadow")
        last = self.read.get("/api/v1/summary").value["last_seq"]
        moves = [change for change in self.read.get(f"/api/v1/changes?after={last - 3}").value["changes"]]
        self.assertEqual([(m["kind"], m["actor"], m["body"]["state"]["new"]) for m in moves],
                         [("model_moved", "token:test-admin", word) for word in ("active", "active", "shadow")])

    def test_what_is_scored_elsewhere_stays_there(self):
        outside = {"id": "outside-9"}
        done = self.move(outside, "active", self.detail(outside).headers["etag"])
        self.assertEqual(done.status, 409)
        self.assertIn("scored elsewhere", done.value["detail"])
        self.assertEqual(self.move({"id": "nosuch"}, "active", '"x"').status, 404)


if __name__ == "__main__":
    unittest.main()
