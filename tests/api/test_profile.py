"""GET /api/v1/entities/{entity} and /api/v1/ips/{ip}: who is seen with whom, flagged or not, packed or not."""
import unittest
from urllib.parse import quote

from server import Server, batch, score

ROLE = "arn:aws:iam::111122223333:role/a team/x.js"
DAY = "2026-03-"
MANY = 300


class Profile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.reader = cls.server.client("read")
        ingest = cls.server.client("ingest")
        packed = [score(f"i-{n % 3}", f"10.1.{n // 100}.{n % 100}", f"{DAY}10T08:{n % 60:02}:00.000Z", score=-3, count=2)
                  for n in range(MANY)]
        few = [score("i-0", "10.1.0.3", f"{DAY}11T09:00:00.000Z", score=0.25, count=5, percentile=40),
               score(ROLE, "10.1.0.3", f"{DAY}11T10:00:00.000Z", score=0.5),
               score("i-0", "203.0.113.9", f"{DAY}12T09:00:00.000Z", score=7.5, percentile=99.5),
               score("i-0", "198.51.100.1", "2026-01-05T09:00:00.000Z", score=0)]  # before the thirty days
        for rows in (packed, few):
            assert ingest.post("/api/v1/scores", batch(*rows, threshold=1.0)).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, path):
        reply = self.reader.get(path)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertFalse(reply.value["partial"])
        return reply.value

    def test_an_entity(self):
        value = self.get("/api/v1/entities/i-0")
        self.assertEqual((value["since"], value["until"]), ("2026-02-11T00:00:00.000Z", f"{DAY}13T00:00:00.000Z"))
        self.assertEqual((value["sightings"], value["observations"]), (MANY // 3 + 3, 2 * MANY // 3 + 7))
        self.assertEqual(value["address_count"], MANY // 3 + 2, "10.1.0.3 came twice")
        first, second = value["addresses"][:2]
        self.assertEqual((first["ip"], first["percentile"]), ("203.0.113.9", 99.5))
        self.assertEqual(self.reader.get(f"/api/v1/findings/{first['finding']}").status, 200)
        self.assertEqual((second["ip"], second["sightings"], second["finding"]), ("10.1.0.3", 2, None))
        self.assertEqual(len(value["addresses"]), 50)
        self.assertEqual({n["network"] for n in value["networks"]},
                         {"10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "203.0.113.0/24", "198.51.100.0/24"})
        self.assertEqual(sum(n["observations"] for n in value["networks"]), value["observations"])
        self.assertEqual([(day["day"][8:10], day["observations"], day["flagged"]) for day in value["days"]],
                         [("10", 2 * MANY // 3, 0), ("11", 5, 0), ("12", 1, 1)])
        self.assertEqual(value["first"], "2026-01-05T09:00:00.000Z")
        self.assertEqual([spec["spec"] for spec in value["specs"]], ["vpc-egress"])

    def test_an_entity_whose_name_has_slashes(self):
        value = self.get(f"/api/v1/entities/{quote(ROLE, safe='')}")
        self.assertEqual((value["entity"], value["sightings"]), (ROLE, 1))

    def test_an_address(self):
        value = self.get("/api/v1/ips/10.1.0.3")
        self.assertEqual([(e["entity"], e["observations"]) for e in value["entities"]], [(ROLE, 1), ("i-0", 7)])
        self.assertEqual((value["entity_count"], value["first"]), (2, f"{DAY}10T08:03:00.000Z"))

    def test_nobody(self):
        for path in ("entities/nobody", "ips/192.0.2.200", "ips/2001:db8::1"):
            value = self.get(f"/api/v1/{path}")
            self.assertEqual((value["sightings"], value["first"], value["days"]), (0, None, []))
        self.assertEqual(self.reader.get("/api/v1/ips/10.1.2").status, 404)
        self.assertEqual(self.server.client().get("/api/v1/entities/i-0").status, 401)


if __name__ == "__main__":
    unittest.main()
