"""Instance credentials that were stolen: the role is used from its instance's address, and then from
another one. CloudTrail of a simulated attack, from the raw records through the lake to the finding,
and from the prepared pairs."""
import gzip
import json
import sqlite3
import unittest

from kit import Detection

ROLE = "arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role"
SESSION = ("arn:aws:sts::123837392027:assumed-role/stratus-red-team-ec2-steal-credentials-role/"
           "i-0dbc91f429e48eeed")
OWN, THIEF = "3.225.16.109", "192.168.10.20"


def ocsf(record):
    """A CloudTrail record as Security Lake has it, as far as pairs are made from it."""
    identity = record.get("userIdentity", {})
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
    source = record.get("sourceIPAddress")
    address = {"domain": source} if source and source.endswith(".amazonaws.com") else {"ip": source}
    return {
        "class_uid": 6003, "category_uid": 6, "time_dt": record["eventTime"],
        "metadata": {"version": "1.1.0", "product": {"name": "CloudTrail"}},
        "actor": {"user": {"uid": identity.get("arn"), "type": identity.get("type")},
                  "session": {"issuer": issuer}, "invoked_by": identity.get("invokedBy")},
        "src_endpoint": address, "api": {"operation": record["eventName"]},
        "cloud": {"region": record.get("awsRegion"),
                  "account": {"uid": record.get("recipientAccountId")}}}


class StolenCredentials(Detection):
    def put(self, folder, records):
        day = self.folder / folder / "aws/CLOUD_TRAIL_MGMT/2.0/region=us-east-1/accountId=1" \
            / "eventDay=20230710"
        day.mkdir(parents=True)
        (day / "a.json").write_text("".join(json.dumps(ocsf(r)) + "\n" for r in records))

    def test_from_raw_records_to_the_finding(self):
        """The operator of the simulation ran every attack from the thief's address: what came from
        there is not learned."""
        with gzip.open(self.data("cloudtrail/invictus_stratus_2023.jsonl.gz"), "rt") as lines:
            records = [json.loads(line) for line in lines]
        stolen = [r for r in records if r.get("userIdentity", {}).get("arn") == SESSION
                  and r.get("sourceIPAddress") == THIEF]
        self.assertGreater(len(stolen), 0)
        self.put("before", [r for r in records if r.get("sourceIPAddress") != THIEF])
        self.put("lake", records)
        spec = ("--spec", "cloudtrail-principal")
        self.run_program("train", "--out", "trail.model", *spec, "before")
        self.run_program("migrate", "--database", "sqlite:trail.db")
        self.run_program("work", "--once", "--queue", "dir:lake", "--database", "sqlite:trail.db",
                         "--scorer", "model:trail.model")
        found = sqlite3.connect(self.folder / "trail.db").execute(
            "SELECT entity.uid, ip_text FROM finding JOIN entity ON entity.id = entity_id"
        ).fetchall()
        self.assertIn((ROLE, THIEF), found)
        self.assertNotIn((ROLE, OWN), found)

    def test_from_pairs(self):
        self.run_program("train", "--out", "pairs.model",
                         self.data("eval/cloudtrail_scenarios.csv"))
        lines = self.run_program("score", "--model", "pairs.model", "--explain",
                                 input=f"{SESSION},{THIEF}\n{SESSION},{OWN}\n").splitlines()
        thief, own = map(json.loads, lines)
        self.assertEqual((thief["ip"], thief["flagged"], thief["explanation"]["opinion"]),
                         (THIEF, True, "stranger"))
        self.assertEqual((own["ip"], own["flagged"]), (OWN, False))


if __name__ == "__main__":
    unittest.main()
