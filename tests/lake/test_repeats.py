"""Rows that come again are only counted: flows as Parquet against the same ones as OCSF JSON, which is read row by row."""
import csv
import json
import random
import unittest

import kit

NOON = 1764158400000
HOUR = 3600000
FIELDS = ("class_uid", "time", "time_dt", "source", "source_ip", "target", "target_ip", "action", "activity", "status", "account")
COLUMNS = ("{" + ", ".join(f"'{name}': '{'BIGINT' if name in ('class_uid', 'time', 'action', 'activity') else 'VARCHAR'}'"
                           for name in FIELDS) + "}")
FLOWS = ("class_uid, time, CAST(time_dt AS TIMESTAMP) AS time_dt, {'instance_uid': source, 'ip': source_ip, 'more': ['x']} AS"
         " src_endpoint, {'instance_uid': target, 'ip': target_ip} AS dst_endpoint, action AS action_id, activity AS activity_id,"
         " status AS status_code, {'account': {'uid': account}, 'region': 'eu-west-1'} AS cloud")
FEW = {
    "class_uid": [4001] * 9 + [4003, None, -1, 1 << 40], "time_dt": [None, "2025-11-26 12:30:00"],
    "source": ["i-0123456789abcdef0", "i-0123456789abcdef1", "i-1", "-", "", None, "bad\ttext", "x" * 3000, "Ärger"],
    "source_ip": ["192.0.2.1", "198.51.100.200", "2001:db8::1", "2001:DB8:0::1", "-", None, "192.0.2.300", "name"],
    "target": [None, None, "i-0123456789abcdef0", "i-2"], "target_ip": ["203.0.113.9", "203.0.113.255", "::ffff:192.0.2.1", None],
    "action": [1, 1, 2, None, 1 << 33], "activity": [5, 6, None], "status": ["OK", "NODATA", "SKIPDATA", "-", None],
    "account": ["111122223333", "444455556666"]}
TIMES = [NOON, NOON + HOUR - 1, NOON + HOUR, NOON // 1000 + 5, None, 0, -5, 1 << 60, NOON - 30 * HOUR]


def flow(choice, **fixed):
    row = {name: choice.choice(values) for name, values in FEW.items()}
    row["time"] = choice.choice(TIMES) if choice.random() < 0.2 else NOON + choice.randrange(HOUR * 5 // 2)
    return row | fixed


def event(row):
    def kept(**members):
        return {name: value for name, value in members.items() if value is not None}

    return json.dumps(kept(
        class_uid=row["class_uid"], time=row["time"], time_dt=row["time_dt"] and row["time_dt"].replace(" ", "T") + "Z",
        src_endpoint=kept(instance_uid=row["source"], ip=row["source_ip"]),
        dst_endpoint=kept(instance_uid=row["target"], ip=row["target_ip"]), action_id=row["action"],
        activity_id=row["activity"], status_code=row["status"],
        cloud={"account": kept(uid=row["account"]), "region": "eu-west-1"}))


class Repeats(kit.Case):
    def check(self, rows, options=()):
        with open(self.path("rows.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else csv.QUOTE_MINIMAL)
            for row in rows:
                writer.writerow([r"\N" if row[name] is None else row[name] for name in FIELDS])
        parquet = self.copy("rows.parquet", f"SELECT {FLOWS} FROM read_csv('{self.path('rows.csv')}', header = false, nullstr = '\\N',"
                            f" parallel = false, columns = {COLUMNS}, quote = '\"', escape = '\"', delim = ',', max_line_size = 100000)")
        twin = self.write("rows.json", "\n".join(event(row) for row in rows))
        for spec in ("vpc-egress", "vpc-ingress", "workshop"):
            ours, theirs = (kit.pairs(spec, path, options=options) for path in (parquet, twin))
            with self.subTest(spec=spec):
                self.assertEqual((ours.status, theirs.status), (0, 0), ours.errors)
                self.assertGreater(len(theirs.lines), 1)
                self.assertEqual(ours.pairs(), theirs.pairs())
                self.assertEqual(ours.unscored(), theirs.unscored())

    def test_few_values_come_again_and_again(self):
        choice = random.Random(1)
        rows = [flow(choice) for _ in range(500)]
        rows += [choice.choice(rows) | {"time": NOON + choice.randrange(HOUR * 2)} for _ in range(15000)]
        self.check(rows)

    def test_more_kinds_of_rows_than_are_remembered(self):
        choice = random.Random(2)
        rows = [flow(choice, target_ip=f"203.0.{i % 256}.{choice.randrange(256)}") for i in range(25000)]
        self.check([row for row in rows for _ in range(2)])

    def test_no_row_comes_again(self):
        choice = random.Random(3)
        self.check([flow(choice, target_ip=f"10.{i // 65536}.{i // 256 % 256}.{i % 256}", source_ip="192.0.2.1") for i in range(9000)])

    def test_more_texts_than_are_kept(self):
        choice = random.Random(4)
        self.check([flow(choice, account=f"{i:09000}" if 500 < i < 4500 else str(i % 3)) for i in range(6000)])

    def test_objects_of_other_classes_come_between(self):
        def of(*classes):
            kinds = ", ".join(map(str, classes))
            return (f"SELECT [{kinds}][1 + range * {len(classes)} // 9000] AS class_uid, {NOON} + range * 1000 AS time,"
                    " {'instance_uid': 'i-' || range % 7, 'ip': '192.0.2.1', 'more': ['x']} AS src_endpoint,"
                    " {'instance_uid': NULL, 'ip': '203.0.113.' || range % 5} AS dst_endpoint, {'user': {'name': 'u' || range % 3}}"
                    " AS actor, {'product': {'name': CASE WHEN range % 2 = 0 THEN 'Amazon EKS' ELSE 'CloudTrail' END}} AS metadata"
                    " FROM range(9000)")

        flows, calls = of(4001), of(6003)
        mixed = [of(4001, 6003), of(6003, 4001, 6003), of(9999, 4001), of(4001, 9999, 6003)]
        paths = [self.copy(f"{i}.parquet", select)
                 for i, select in enumerate((flows, flows, calls, calls, flows, *mixed, flows, mixed[0], calls, mixed[1]))]
        for spec in ("vpc-egress", "eks-user", "cloudtrail-principal"):
            answer = kit.pairs(spec, *paths, options=("--spec", "vpc-egress", "--spec", "eks-user"))
            with self.subTest(spec=spec):
                self.assertEqual(answer.status, 0, answer.errors)
                self.assertGreater(len(answer.lines), 30)
                for path in paths:
                    alone = kit.pairs(spec, path, options=("--spec", "vpc-egress", "--spec", "eks-user"))
                    self.assertEqual(answer.pairs(path), alone.pairs(path))


if __name__ == "__main__":
    unittest.main()
