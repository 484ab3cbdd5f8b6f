"""Faults of AWS put in by order of a test: what is stored afterwards is what an undisturbed run stores."""
import sqlite3
import sys
import time

from kit import ROOT, Lake

sys.path.insert(0, str(ROOT / "tests" / "fault"))

from kill import contents  # noqa: E402

FEW = 8
MEBIBYTE = 1 << 20
XML = {"Content-Type": "application/xml"}


def xml(code, message, more=""):
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


class Faults(Lake):
    """A few objects on a queue for each test, and what an undisturbed run stores of them."""
    FIRST = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.few = cls.objects[cls.FIRST:][:FEW]
        calm = cls.emulator.queue("calm")
        cls.fill(cls, calm, cls.few)
        cls.run_program(*cls.arguments(calm, "calm"), "--once")
        cls.wanted = cls.observed("calm")
        assert len(cls.wanted) > 100

    @classmethod
    def observed(cls, name):
        return contents(cls.folder / f"{name}.db")["every_observation"]

    @staticmethod
    def arguments(queue, name, *more):
        return ("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--database", f"sqlite:{name}.db", *more)

    def query(self, name, statement, *values):
        with sqlite3.connect(self.folder / f"{name}.db") as db:
            return db.execute(statement, values).fetchall()

    def setUp(self):
        self.name = self.id().split(".")[-1].replace("test_", "").replace("_", "-")
        self.set()

    def tearDown(self):
        self.set()
        self.assertEqual(self.emulator.referee()["refused"], [])

    def set(self, *rules, **settings):
        self.emulator.set(**({"clock_s": 0, "s3_failures": 0, "rules": list(rules)} | settings))

    def queue(self, **attributes):
        queue = self.emulator.queue(self.name, **attributes)
        self.fill(queue, self.few)
        return queue

    def work(self, queue, *more, status=0, **environment):
        return self.run_program(*self.arguments(queue, self.name, "--once", *more), status=status, **environment)

    def assert_all_stored(self, queue):
        self.assertEqual(self.observed(self.name), self.wanted)
        self.assertEqual(self.emulator.waiting(queue), (0, 0))

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come about")
            time.sleep(0.05)

    def seen(self, operation):
        return [each for each in self.emulator.referee()["log"] if each["operation"] == operation]
