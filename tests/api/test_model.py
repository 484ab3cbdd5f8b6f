"""serve --model: scores of a registered model get its threshold and percentiles."""
import json
import subprocess
import unittest

from server import BINARY, Server, score


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.path = cls.server.folder / "small.model"
        lake = cls.server.folder / "lake"
        cls.run_program("simulate", "--entities", "40", "--days", "5", "--seed", "3", "--out", lake)
        cls.run_program("train", "--out", cls.path, "--epochs", "1", "--spec", "vpc-egress", lake)
        cls.server.arguments = ("--model", str(cls.path))
        cls.server.__enter__()
        cls.ingest, cls.read = cls.server.client("ingest"), cls.server.client("read")
        (cls.model,) = cls.read.get("/api/v1/models").value["models"]

    @classmethod
    def run_program(cls, *arguments):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True,
                              timeout=300, cwd=cls.server.folder)
        if done.returncode != 0:
            cls.server.__exit__(None, None, None)
            if "libduckdb" in done.stderr:
                raise unittest.SkipTest("libduckdb is not installed here")
            raise AssertionError(f"{arguments}: {done.stderr[-2000:]}")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def post(self, *rows, **more):
        return self.ingest.post("/api/v1/scores", {
            "model": self.model["id"], "spec": "vpc-egress", "scores": rows, **more})

    def test_it_is_listed_with_what_it_knows(self):
        (threshold,) = self.model["thresholds"]
        self.assertEqual(threshold["spec"], "vpc-egress")
        self.assertGreater(threshold["sample_size"], 100)
        self.assertIn("hyperparameters", self.model["info"])
        self.assertIsNone(self.model["last_used"])

    def test_one_model_alone(self):
        reply = self.read.get(f"/api/v1/models/{self.model['id']}")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.value["model"]["id"], self.model["id"])
        self.assertEqual(reply.value["model"]["state"], "candidate")
        self.assertEqual((reply.value["comparisons"], reply.value["differences"]), ([], []))
        (drift,) = reply.value["drift"]
        self.assertEqual(drift["spec"], "vpc-egress")
        self.assertIsNotNone(drift["unseen_networks_in_training"])
        self.assertEqual(self.read.get("/api/v1/models/nosuch").status, 404)

    def test_the_window_of_its_scores(self):
        self.assertEqual(self.post(*[score("i-window", ip=f"198.51.100.{n}", score=-n)
                                     for n in range(200)]).status, 200)
        (window,) = self.read.get(f"/api/v1/models/{self.model['id']}").value["windows"]
        self.assertEqual((window["spec"], window["days"]), ("vpc-egress", 1))
        self.assertIsNone(window["threshold"], "what is of today judges nothing yet")
        self.assertGreaterEqual(window["sample_size"], 200)
        self.assertEqual(window["pairs"], window["sample_size"])
        self.assertAlmostEqual(window["finest_percentile"], 100 - 1000 / window["sample_size"])

    def test_scores_of_it_need_no_threshold(self):
        threshold = self.model["thresholds"][0]["threshold"]
        reply = self.post(score("i-over", score=threshold + 0.01),
                          score("i-at", score=threshold), score("i-top", score=1e6))
        self.assertEqual((reply.status, reply.value["flagged"]), (200, 2), reply.body)
        (over,) = self.read.get("/api/v1/findings?entity=i-over").value["findings"]
        (top,) = self.read.get("/api/v1/findings?entity=i-top").value["findings"]
        self.assertLess(50, over["percentile"])
        self.assertLess(over["percentile"], 100.001)
        self.assertEqual(top["percentile"], 100)
        found = self.read.get(f"/api/v1/findings/{over['id']}").value
        self.assertEqual(found["threshold"], threshold)
        self.assertEqual(found["detector"], self.model["detector"])

    def test_it_is_measured_on_the_labels_of_its_lake(self):
        labels = self.server.folder / "lake" / "labels.csv"
        rows = [line.split(",") for line in labels.read_text().splitlines()[1:]]
        own = [row for row in rows if row[4] == "vpc-egress"]
        self.assertLess(len(own), len(rows))
        for asked in ((), ("--spec", "vpc-egress")):  # rows of other specs are left out either way
            done = subprocess.run(
                [str(BINARY), "evaluate", "--model", str(self.path), *asked, str(labels)],
                capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            report = json.loads(done.stdout)
            self.assertEqual(report["rows"], len(own))
            self.assertEqual(report["positives"], sum(row[3] == "1" for row in own))
        done = subprocess.run(
            [str(BINARY), "evaluate", "--model", str(self.path), "--spec", "eks-user", str(labels)],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no labelled pairs of a spec the model knows", done.stderr)

    def test_the_folder_of_learned_models_is_made_or_told(self):
        folder, database = self.server.folder, f"sqlite:{self.server.folder}/learn.db"
        (folder / "queue").mkdir()
        self.run_program("model", "activate", self.path, "--database", database)
        work = ("work", "--queue", f"dir:{folder}/queue", "--database", database, "--once")
        self.run_program(*work, "--learn-daily", folder / "models")
        self.assertTrue((folder / "models").is_dir())
        done = subprocess.run([str(BINARY), *work, "--learn-daily", "/nonexistent/models"],
                              capture_output=True, text=True, timeout=60, cwd=folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nonexistent/models", done.stderr)

    def scored(self, model, *more):
        return subprocess.run([str(BINARY), "score", "--model", str(model), *more],
                              input="i-0,192.0.2.1\n", capture_output=True, text=True, timeout=60)

    def test_pairs_are_scored_by_a_spec_the_model_has(self):
        only, named = self.scored(self.path), self.scored(self.path, "--spec", "vpc-egress")
        self.assertEqual((only.returncode, only.stdout), (0, named.stdout), only.stderr)
        other = self.scored(self.path, "--spec", "eks-user")
        self.assertEqual((other.returncode, other.stdout), (2, ""))
        self.assertIn('no spec "eks-user", but: vpc-egress', other.stderr)
        two = self.server.folder / "two.model"
        self.run_program("train", "--out", two, "--epochs", "1", "--spec", "vpc-egress",
                         "--spec", "vpc-ingress", self.server.folder / "lake")
        which = self.scored(two)
        self.assertEqual((which.returncode, which.stdout), (2, ""))
        self.assertIn("--spec which: vpc-egress, vpc-ingress", which.stderr)

    def test_a_percentile_that_is_given_stays(self):
        threshold = self.model["thresholds"][0]["threshold"]
        self.post(score("i-given", score=threshold + 1, percentile=12.5))
        (found,) = self.read.get("/api/v1/findings?entity=i-given").value["findings"]
        self.assertEqual(found["percentile"], 12.5)

    def test_another_threshold_is_refused(self):
        threshold = self.model["thresholds"][0]["threshold"]
        reply = self.post(score("i-other"), threshold=threshold + 1)
        self.assertEqual(reply.status, 422)
        self.assertEqual([e["pointer"] for e in reply.value["errors"]], ["/threshold"])
        self.assertEqual(self.post(score("i-same"), threshold=threshold).status, 200)

    def test_another_spec_needs_one(self):
        reply = self.post(score("i-spec", spec="dns-answer"))
        self.assertEqual((reply.status, reply.value["errors"][0]["pointer"]), (422, "/threshold"))


class BarePairs(unittest.TestCase):
    """A model of a CSV file belongs to no spec: which pairs it scores has to be said."""

    def test_it_is_registered_for_the_specs_asked_for(self):
        server = Server()
        try:
            path, lines = server.folder / "bare.model", server.folder / "pairs.csv"
            lines.write_text("\ufeff" + "".join(
                f"host-{n % 9},192.0.2.{n % 200}\n" for n in range(900)), encoding="utf-8")
            done = subprocess.run(
                [str(BINARY), "train", "--out", str(path), "--epochs", "1", str(lines)],
                capture_output=True, text=True, timeout=300, cwd=server.folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("entities 9,", done.stdout)  # the mark is no part of the first
            bare = subprocess.run(
                [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--model", str(path)],
                capture_output=True, text=True, timeout=60, cwd=server.folder)
            self.assertEqual(bare.returncode, 2, bare.stderr)
            self.assertIn("--spec", bare.stderr)
            server.arguments = ("--model", str(path), "--spec", "vpc-egress", "--spec", "own-spec")
            with server:
                (model,) = server.client("read").get("/api/v1/models").value["models"]
                self.assertEqual([t["spec"] for t in model["thresholds"]],
                                 ["own-spec", "vpc-egress"])
                reply = server.client("ingest").post("/api/v1/scores", {
                    "model": model["id"], "spec": "own-spec", "scores": [score(score=1e6)]})
                self.assertEqual((reply.status, reply.value["flagged"]), (200, 1), reply.body)
                (finding,) = server.client("read").get("/api/v1/findings").value["findings"]
                self.assertEqual(finding["percentile"], 100)
        finally:
            server.__exit__(None, None, None)


if __name__ == "__main__":
    unittest.main()
