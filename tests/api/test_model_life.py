"""pairwatch model, and work --scorer active: which model scores, and what a shadow makes of the same."""
import subprocess
import time
import unittest

from server import BINARY, Server


class ModelLife(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.folder = cls.server.folder
        try:
            cls.run_program("simulate", "--entities", "60", "--days", "5", "--seed", "4", "--out", "lake")
            for name, detector in (("one", "prefix"), ("two", "ip_insights")):
                cls.run_program("train", "--out", f"{name}.model", "--detector", detector,
                                "--epochs", "1", "lake")
        except AssertionError:
            cls.server.__exit__(None, None, None)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def run_program(cls, *arguments, code=0):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True,
                              timeout=300, cwd=cls.folder)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: {done.returncode} {done.stdout} {done.stderr[-2000:]}")
        return done

    def model(self, *arguments, code=0):
        return self.run_program("model", *arguments, "--database", self.database, code=code)

    def setUp(self):
        self.database = f"sqlite:{self.id().split('.')[-1]}.db"
        self.work = ("work", "--queue", "dir:lake", "--database", self.database)

    def states(self):
        return {line.split()[2].rsplit("/", 1)[1]: line.split()[1]
                for line in self.model("list").stdout.splitlines()}

    def test_without_an_active_model_it_says_how_to_make_one(self):
        done = self.run_program(*self.work, "--once", code=1)
        self.assertIn("pairwatch model activate", done.stderr)

    def test_moves(self):
        self.model("activate", "one.model")
        self.model("shadow", "two.model")
        self.assertEqual(self.states(), {"one.model": "active", "two.model": "shadow"})
        shadow = self.model("list").stdout.split()[0]
        self.model("activate", shadow[:8])
        self.assertEqual(self.states(), {"one.model": "retired", "two.model": "active"})
        self.model("rollback")
        self.assertEqual(self.states(), {"one.model": "active", "two.model": "retired"})
        self.assertIn("no model file", self.model("activate", "nosuch", code=1).stderr)
        self.assertIn("takes one model", self.model("activate", code=2).stderr)

    def test_a_shadow_is_compared_and_flags_nothing(self):
        self.model("activate", "one.model")
        alone = self.run_program(*self.work[:-1], "sqlite:alone.db", "--scorer", "model:one.model", "--once")
        self.model("shadow", "two.model")
        beside = self.run_program(*self.work, "--once")
        line = next(x for x in alone.stdout.splitlines() if x.startswith("findings"))
        self.assertIn(line, beside.stdout)
        compared = self.model("compare", "two.model").stdout
        self.assertRegex(compared, r"vpc-egress +active [0-9a-f]{8} shadow [0-9a-f]{8} pairs [1-9]\d+,")
        self.assertIn("only the", compared)

    def test_it_learns_on_day_by_day(self):
        (self.folder / "models").mkdir(exist_ok=True)
        days = sorted({p.name.split("=")[1] for p in (self.folder / "lake").rglob("eventDay=*")})
        text = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in days]
        self.run_program("train", "--out", "base.model", "--epochs", "1", "--until", text[2], "lake")
        self.model("activate", "base.model")
        learn = ("--once", "--learn-daily", "models")
        self.run_program(*self.work, "--since", text[2], "--until", text[3], *learn)
        self.run_program(*self.work, "--since", text[3], "--until", text[4], *learn)
        again = self.run_program(*self.work, "--since", text[3], "--until", text[4], *learn)
        self.assertNotIn("learned on", again.stderr, "nothing new was observed")
        states = self.states()
        self.assertEqual(len(states), 3)
        (active,) = [name for name, state in states.items() if state == "active"]
        self.assertTrue(active.startswith(text[3]), states)
        self.model("rollback")
        (back,) = [name for name, state in self.states().items() if state == "active"]
        self.assertTrue(back.startswith(text[2]), states)
        self.run_program(*self.work, "--once", "--since", text[4])
        self.assertIn("needs --scorer active", self.run_program(
            *self.work, "--scorer", "model:base.model", "--learn-daily", "models", code=2).stderr)

    def test_a_running_worker_follows(self):
        self.model("activate", "one.model")
        worker = subprocess.Popen([str(BINARY), *self.work, "--threads", "2"], cwd=self.folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(1)
            self.model("activate", "two.model")
            deadline = time.monotonic() + 30
            line = ""
            while "another model scores" not in line and time.monotonic() < deadline:
                line = worker.stderr.readline()
            self.assertIn("another model scores", line)
        finally:
            worker.terminate()
            out, err = worker.communicate(timeout=30)
        self.assertEqual(worker.returncode, 0, err)
        self.assertIn("objects", out)


if __name__ == "__main__":
    unittest.main()
