"""GET /api/v1/lookup: any pair that was ever seen is found, flagged or not, packed or not."""
import unittest

from server import Server, batch, score

MANY = 1000
DAY = "2026-03-0"


def address(i):
    return f"10.1.{i // 200}.{i % 200}"


class Lookup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.reader = cls.server.client("read")
        ingest = cls.server.client("ingest")
        for day in (1, 2):  # enough of a day to be packed
            rows = [score(f"i-{i % 7}", address(i), f"{DAY}{day}T08:{i % 60:02}:00.000Z", score=-2.5 + day,
                          count=3) for i in range(MANY)]
            assert ingest.post("/api/v1/scores", batch(*rows, threshold=1.0)).status in (200, 201)
        few = [score("i-1", address(1), f"{DAY}3T09:00:00.000Z", score=0.25),  # stays a row
               score("i-2", address(2), f"{DAY}4T09:00:00.000Z", score=7.5)]  # flagged
        assert ingest.post("/api/v1/scores", batch(*few, threshold=1.0)).status in (200, 201)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def look(self, entity, ip):
        reply = self.reader.get(f"/api/v1/lookup?entity={entity}&ip={ip}")
        self.assertEqual(reply.status, 200, reply.body)
        self.assertFalse(reply.value["partial"])
        return reply.value

    def test_a_pair_that_was_never_flagged(self):
        found = self.look("i-1", address(1))
        self.assertEqual((found["sightings"], found["observations"]), (3, 7))
        self.assertEqual((found["first"], found["last"]), (f"{DAY}1T08:01:00.000Z", f"{DAY}3T09:00:00.000Z"))
        (spec,) = found["specs"]
        self.assertEqual((spec["score"], spec["threshold"], spec["finding"]), (0.25, 1.0, None))

    def test_a_pair_that_was_flagged_later(self):
        found = self.look("i-2", address(2))
        self.assertEqual((found["sightings"], found["observations"]), (3, 7))
        (spec,) = found["specs"]
        self.assertEqual((spec["score"], spec["last"]), (7.5, f"{DAY}4T09:00:00.000Z"))
        self.assertEqual(self.reader.get(f"/api/v1/findings/{spec['finding']}").status, 200)

    def test_every_pair_is_found_and_no_other(self):
        for i in range(0, MANY, 37):
            self.assertGreaterEqual(self.look(f"i-{i % 7}", address(i))["sightings"], 2)
            never = self.look(f"i-{(i + 1) % 7}", address(i))
            self.assertEqual((never["sightings"], never["first"], never["specs"]), (0, None, []))
        self.assertEqual(self.look("nobody", "2001:db8::1")["specs"], [])

    def test_faults(self):
        for query, told in (("", "?entity"), ("entity=i-1", "?ip"), ("entity=i-1&ip=10.1.2", "?ip"),
                            ("entity=i-1&ip=10.1.2.3&more=1", "?more")):
            reply = self.reader.get(f"/api/v1/lookup?{query}")
            self.assertEqual(reply.status, 400, reply.body)
            self.assertIn(told, str(reply.value))


if __name__ == "__main__":
    unittest.main()
