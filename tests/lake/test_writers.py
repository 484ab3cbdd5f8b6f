"""Parquet by a writer that is not DuckDB: data pages of version 2, dictionaries, required structs with
optional members, lists of structs as they are and inside a struct of their own."""
import glob
import json
import os
import subprocess
import unittest

import kit

NODES = glob.glob(os.path.join(kit.TOP, "tests/node_modules/node-linux-*/bin/node"))
WRITER = os.path.join(kit.TOP, "tests/node_modules/hyparquet-writer")
NOON = 1764158400000
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP")


def group(name, repetition, *children, converted=None):
    element = {"name": name, "repetition_type": repetition,
               "num_children": sum(1 for child in children if child["name"] is not None)}
    if converted:
        element["converted_type"] = converted
    return {"name": name, "flat": [element] + [e for child in children for e in child["flat"]]}


def leaf(name, kind="BYTE_ARRAY", repetition="OPTIONAL"):
    element = {"name": name, "type": kind, "repetition_type": repetition}
    if kind == "BYTE_ARRAY":
        element["converted_type"] = "UTF8"
    return {"name": name, "flat": [element]}


def schema(*columns):
    return [{"name": "schema", "num_children": len(columns)}] + [
        element for column in columns for element in column["flat"]]


ANSWERS = ("OPTIONAL", group("list", "REPEATED", group("element", "OPTIONAL", leaf("type"),
                                                      leaf("rdata"), leaf("class"))))
DNS = schema(
    group("metadata", "REQUIRED", group("product", "REQUIRED", leaf("name"))),
    group("cloud", "REQUIRED", leaf("account_uid"), leaf("region")),
    group("src_endpoint", "REQUIRED", leaf("ip"), leaf("port", "INT32"), leaf("instance_uid")),
    leaf("time", "INT64"),
    group("answers", *ANSWERS, converted="LIST"),
    leaf("class_uid", "INT32"),
    group("unmapped", "OPTIONAL", group("map", "REPEATED", leaf("key", repetition="REQUIRED"),
                                        leaf("value"), converted="MAP_KEY_VALUE"), converted="MAP"))


WRAPPED = schema(
    leaf("time", "INT64"), leaf("class_uid", "INT64"), group("src_endpoint", "OPTIONAL", leaf("instance_uid")),
    group("answers", "OPTIONAL", group("array", *ANSWERS, converted="LIST")))


def answer(kind, rdata):
    return {"type": kind, "rdata": rdata, "class": "IN"}


def dns_columns(rows):
    """rows: [(instance, [answers] or None)]"""
    count = len(rows)
    return {
        "metadata": [{"product": {"name": "Route 53"}}] * count,
        "cloud": [{"account_uid": "111122223333", "region": "eu-west-1"}] * count,
        "src_endpoint": [{"ip": "10.0.0.9", "port": 53, "instance_uid": row[0]} for row in rows],
        "time": [NOON + i for i in range(count)],
        "answers": [row[1] for row in rows],
        "class_uid": [4003] * count,
        "unmapped": [{"k": "v"}] * count,
    }


@unittest.skipUnless(NODES and os.path.isdir(WRITER), "the test tools of npm are not installed")
class Writers(kit.Case):
    def write_files(self, *files):
        subprocess.run([NODES[0], os.path.join(kit.TOP, "tests/lake/write.mjs"), self.folder],
                       input=json.dumps(files), text=True, check=True, timeout=kit.SECONDS_MAX)

    def test_lists_inside_a_struct(self):
        self.write_files({"name": "w.parquet", "codec": "SNAPPY", "schema": WRAPPED, "columns": {
            "time": [NOON] * 3, "class_uid": [4003] * 3, "src_endpoint": [{"instance_uid": "i-a"}] * 3,
            "answers": [{"array": [answer("A", "192.0.2.1"), answer("NS", "192.0.2.2")]},
                        {"array": None}, None]}})
        got = kit.pairs("dns-answer", self.path("w.parquet"))
        self.assertEqual([(p["entity"], p["ip"]) for p in got.lines], [("i-a", "192.0.2.1")], got.errors)
        self.assertEqual(got.unscored(), {"no_ip": 2})

    def test_lists_of_structs(self):
        rows = [("i-a", [answer("A", "192.0.2.1"), answer("AAAA", "2001:db8::5"),
                         answer("CNAME", "x.example.")]),
                ("i-a", [answer("A", "192.0.2.1")]), ("i-b", [answer("PTR", "192.0.2.7")]),
                ("i-b", None), ("i-b", []), (None, [answer("A", "192.0.2.2")]),
                ("-", [answer("A", "192.0.2.3")]),
                ("i-c", [answer("A", "-"), answer("A", "no address"), answer("A", "192.0.2.4")])]
        self.write_files(*({"name": f"{codec}.parquet", "codec": codec, "schema": DNS,
                            "columns": dns_columns(rows)} for codec in CODECS))
        for codec in CODECS:
            with self.subTest(codec=codec):
                got = kit.pairs("dns-answer", self.path(f"{codec}.parquet"))
                self.assertEqual(got.status, 0, got.errors)
                self.assertEqual(
                    [(p["entity"], p["ip"], p["count"], p["account"], p["region"]) for p in got.lines],
                    [("i-a", "192.0.2.1", 2, "111122223333", "eu-west-1"),
                     ("i-a", "2001:db8::5", 1, "111122223333", "eu-west-1"),
                     ("i-c", "192.0.2.4", 1, "111122223333", "eu-west-1")])
                self.assertEqual(got.unscored(), {"no_entity": 2, "no_ip": 3, "bad_ip": 1})

    def test_many_rows_and_groups(self):
        rows = [(f"i-{i % 40}", [answer("A", f"192.0.2.{i % 100}")] * (i % 3)) for i in range(12000)]
        self.write_files({"name": "many.parquet", "codec": "SNAPPY", "schema": DNS,
                          "columns": dns_columns(rows)})
        wanted = {}
        for instance, answers in rows:
            for item in answers:
                wanted[instance, item["rdata"]] = wanted.get((instance, item["rdata"]), 0) + 1
        got = kit.pairs("dns-answer", self.path("many.parquet"))
        self.assertEqual({(p["entity"], p["ip"]): p["count"] for p in got.lines}, wanted)
        self.assertEqual(got.unscored(), {"no_ip": 4000})

    def test_optional_structs_and_wide_numbers(self):
        """As in source version 2: every struct may be null; class_uid is of 64 bits."""
        flows = schema(
            group("src_endpoint", "OPTIONAL", leaf("ip"), leaf("instance_uid")),
            group("dst_endpoint", "OPTIONAL", leaf("ip"), leaf("instance_uid")),
            group("cloud", "OPTIONAL", group("account", "OPTIONAL", leaf("uid")), leaf("region")),
            leaf("time", "INT64"), leaf("status_code"), leaf("action_id", "INT64"),
            leaf("class_uid", "DOUBLE"))
        here = {"ip": "10.0.0.1", "instance_uid": "i-1"}
        there = {"ip": "2001:db8::1", "instance_uid": None}
        self.write_files({"name": "v2.parquet", "codec": "GZIP", "schema": flows, "columns": {
            "src_endpoint": [there, None, there, there], "dst_endpoint": [here, here, None, here],
            "cloud": [{"account": {"uid": "1"}, "region": None}, None, None, {"account": None}],
            "time": [NOON] * 4, "status_code": ["OK", "OK", None, "NODATA"],
            "action_id": [None] * 4, "class_uid": [4001] * 4}})
        got = kit.pairs("vpc-ingress", self.path("v2.parquet"))
        self.assertEqual([(p["entity"], p["ip"], p["account"], p["region"]) for p in got.lines],
                         [("i-1", "2001:db8::1", "1", "")], got.errors)
        self.assertEqual(got.unscored(), {"no_ip": 1, "no_entity": 1, "filtered": 1})


if __name__ == "__main__":
    unittest.main()
