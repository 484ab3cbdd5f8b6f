"""Parquet written here, in the names of OCSF 1.1.0 (source version 2) and in the forms that other
writers leave: compressions, page versions, types, lists in a group of their own, missing columns."""
import gzip
import os

import kit

NOON = 1764158400000  # 2025-11-26T12:00:00Z
ENDPOINT = "STRUCT(instance_uid VARCHAR, ip VARCHAR, port INTEGER)"


def flow(src, src_ip, dst, dst_ip, time=NOON, action=1, status="OK"):
    def text(value):
        return "NULL" if value is None else f"'{value}'"

    return (f"({text(src)}, {text(src_ip)}, {text(dst)}, {text(dst_ip)}, {time}, {action}, "
            f"{text(status)})")


def flows(*rows, time="time", class_uid="4001"):
    return (f"""SELECT {class_uid} AS class_uid, {time} AS time,
        CAST({{'instance_uid': src, 'ip': src_ip, 'port': 1}} AS {ENDPOINT}) AS src_endpoint,
        CAST({{'instance_uid': dst, 'ip': dst_ip, 'port': 443}} AS {ENDPOINT}) AS dst_endpoint,
        {{'account': {{'uid': '111122223333'}}, 'region': 'eu-west-1'}} AS cloud,
        status AS status_code, action AS action_id, 6 AS activity_id,
        [{{'name': 'src', 'type_id': 2, 'value': src_ip}}] AS observables,
        MAP {{'sublocation_id': '-'}} AS unmapped
        FROM (VALUES {", ".join(rows)}) t(src, src_ip, dst, dst_ip, time, action, status)""")


ROWS = (
    flow(None, "198.51.100.7", "i-1", "10.0.0.1"),
    flow(None, "198.51.100.7", "i-1", "10.0.0.1", NOON + 1000),
    flow(None, "2001:db8::1", "i-1", "10.0.0.1"),
    flow(None, "198.51.100.7", "i-1", "10.0.0.1", NOON + 3600000),
    flow(None, "203.0.113.9", "i-2", "10.0.0.2", action=2),
    flow(None, "203.0.113.10", "i-2", "10.0.0.2", action=2),
    flow(None, "203.0.113.10", "i-2", "10.0.0.2", action=1),
    flow(None, "-", "i-2", "-", status="NODATA"),
    flow(None, "-", "i-2", "-"),
    flow(None, "300.1.1.1", "i-2", "10.0.0.2"),
    flow("-", "10.0.0.9", "-", "10.0.0.8"),
    flow("", "10.0.0.9", "", "10.0.0.8"),
    flow(None, "10.0.0.9", "x" * 2049, "10.0.0.8"),
    flow(None, "198.51.100.8", "i-3", "10.0.0.1", time=-5),
    flow(None, "198.51.100.8", "i-3", "10.0.0.1", time=4102444800000),
    flow("i-4", "10.0.0.4", None, "192.0.2.4"),
)
PLACE = ("111122223333", "eu-west-1")
WANTED = [
    ("2025-11-26T12:00:00.000Z", "i-1", "198.51.100.7", 2, *PLACE, False),
    ("2025-11-26T12:00:00.000Z", "i-1", "2001:db8::1", 1, *PLACE, False),
    ("2025-11-26T13:00:00.000Z", "i-1", "198.51.100.7", 1, *PLACE, False),
    ("2025-11-26T12:00:00.000Z", "i-2", "203.0.113.9", 1, *PLACE, True),
    ("2025-11-26T12:00:00.000Z", "i-2", "203.0.113.10", 2, *PLACE, False),
]
UNSCORED = {"no_entity": 3, "no_ip": 1, "bad_ip": 1, "bad_entity": 1, "no_time": 2, "filtered": 1}


class Forms(kit.Case):
    def check(self, path, wanted=WANTED, spec="vpc-ingress", **more):
        answer = kit.pairs(spec, path, **more)
        self.assertEqual(answer.status, 0, answer.errors)
        self.assertEqual(answer.pairs(), wanted)
        return answer

    def test_compressions_and_page_versions(self):
        for compression in ("zstd", "snappy", "gzip", "uncompressed", "lz4_raw", "brotli"):
            for version in ("V1", "V2"):
                with self.subTest(compression=compression, version=version):
                    path = self.copy(f"{compression}{version}", flows(*ROWS),
                                     f"FORMAT parquet, COMPRESSION {compression}, "
                                     f"PARQUET_VERSION {version}")
                    answer = self.check(path)
                    self.assertEqual(answer.unscored(), UNSCORED)

    def test_egress(self):
        path = self.copy("a.parquet", flows(*ROWS))
        self.check(path, [("2025-11-26T12:00:00.000Z", "i-4", "192.0.2.4", 1, *PLACE, False)],
                   "vpc-egress")

    def test_types_of_other_writers(self):
        for time in ("CAST(time AS DOUBLE)", "CAST(time AS VARCHAR)", "time / 1000",
                     "make_timestamp_ms(time)", "CAST(make_timestamp_ms(time) AS TIMESTAMP_NS)",
                     "CAST(make_timestamp_ms(time) AS TIMESTAMPTZ)", "CAST(time AS DECIMAL(18,0))"):
            with self.subTest(time=time):
                row = flow(None, "198.51.100.7", "i-1", "10.0.0.1")
                path = self.copy("t.parquet", flows(row, time=time))
                self.check(path, [WANTED[0][:3] + (1, *PLACE, False)])
        for class_uid in ("4001::BIGINT", "4001::DOUBLE", "'4001'", "4001::SMALLINT"):
            with self.subTest(class_uid=class_uid):
                path = self.copy("c.parquet", flows(*ROWS, class_uid=class_uid))
                self.check(path)

    def test_dictionary_and_many_row_groups(self):
        select = f"SELECT f.* FROM ({flows(*ROWS)}) f, range(20000)"
        path = self.copy("many.parquet", select,
                         "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 10000")
        wanted = [p[:3] + (p[3] * 20000,) + p[4:] for p in WANTED]
        answer = kit.pairs("vpc-ingress", path)
        self.assertEqual(sorted(answer.pairs()), sorted(wanted))
        self.assertEqual(answer.unscored(), {k: v * 20000 for k, v in UNSCORED.items()})

    def test_missing_columns(self):
        """No status_code, action_id, activity_id, cloud: no filter, no place, nothing refused."""
        path = self.copy("few.parquet", f"""SELECT class_uid, time, src_endpoint, dst_endpoint
                         FROM ({flows(flow(None, "198.51.100.7", "i-1", "10.0.0.1", action=2))})""")
        self.check(path, [WANTED[0][:3] + (1, "", "", False)])

    def test_no_entity_column_at_all(self):
        path = self.copy("none.parquet", "SELECT 4001 AS class_uid, 1764158400000 AS time")
        answer = self.check(path, [])
        self.assertEqual(answer.unscored(), {"no_entity": 1})

    def test_no_rows(self):
        self.check(self.copy("no.parquet", flows(*ROWS) + " WHERE src = 'nothing'"), [])

    def test_other_class(self):
        self.check(self.copy("o.parquet", flows(*ROWS, class_uid="2004")), [])

    def test_null_structs(self):
        path = self.copy("n.parquet", f"""SELECT class_uid, time, NULL::{ENDPOINT} AS src_endpoint,
                         dst_endpoint, cloud FROM ({flows(*ROWS[:1])})""")
        self.assertEqual(self.check(path, []).unscored(), {"no_ip": 1})

    def test_names_that_look_like_something(self):
        for name in ("a*b?[c].parquet", "region=x.parquet", "'quoted'.parquet", "ü .parquet",
                     "class_uid=9/time=3/x.gz.parquet"):
            with self.subTest(name=name):
                os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
                plain = self.copy("plain.parquet", flows(*ROWS))
                os.rename(plain, self.path(name))
                self.check(self.path(name))

    def test_gzip_around_it(self):
        path = self.copy("z.parquet", flows(*ROWS))
        with open(path, "rb") as file:
            inner = file.read()
        self.check(self.write("z.parquet.gz", gzip.compress(inner)))

    def test_folder(self):
        os.makedirs(self.path("aws/eventDay=20251126"))
        os.makedirs(self.path("aws/eventDay=20251127/.hidden"))
        row = flow(None, "198.51.100.7", "i-1", "10.0.0.1")
        for name in ("aws/eventDay=20251126/a.gz.parquet", "aws/eventDay=20251127/b.gz.parquet",
                     "aws/eventDay=20251127/.hidden/c.parquet", "aws/d.parquet.tmp",
                     "aws/.e.parquet"):
            self.copy(name, flows(row))
        self.write("aws/labels.csv", "no,object\n")
        answer = kit.pairs("vpc-ingress", self.folder)
        self.assertEqual([os.path.basename(p["object"]) for p in answer.lines],
                         ["a.gz.parquet", "b.gz.parquet"])
        answer = kit.pairs("vpc-ingress", self.folder, options=("--since", "2025-11-27"))
        self.assertEqual([os.path.basename(p["object"]) for p in answer.lines], ["b.gz.parquet"])
        answer = kit.pairs("vpc-ingress", self.folder, options=("--until", "2025-11-27"))
        self.assertEqual([os.path.basename(p["object"]) for p in answer.lines], ["a.gz.parquet"])


def dns(answers):
    return f"""SELECT 4003 AS class_uid, {NOON} AS time, {answers} AS answers,
        {{'instance_uid': 'i-7', 'ip': '10.0.0.7'}} AS src_endpoint"""


class Other(kit.Case):
    def test_answers(self):
        many = """[{'type': 'CNAME', 'rdata': 'x.example.', 'class': 'IN'},
                   {'type': 'A', 'rdata': '192.0.2.1', 'class': 'IN'},
                   {'type': 'AAAA', 'rdata': '2001:db8::5', 'class': 'IN'},
                   {'type': 'TXT', 'rdata': '192.0.2.3', 'class': 'IN'},
                   {'type': 'A', 'rdata': 'no address', 'class': 'IN'}, NULL]"""
        for form in (many, "{'array': " + many + "}", "{'list': " + many + "}"):
            with self.subTest(form=form[:10]):
                answer = kit.pairs("dns-answer", self.copy("d.parquet", dns(form)))
                self.assertEqual([p["ip"] for p in answer.lines], ["192.0.2.1", "2001:db8::5"])
                self.assertEqual(answer.unscored(), {"bad_ip": 1})
        for form in ("NULL", "[]", "[{'type': 'MX', 'rdata': '192.0.2.3'}]"):
            with self.subTest(form=form):
                answer = kit.pairs("dns-answer", self.copy("d.parquet", dns(form)))
                self.assertEqual((answer.lines, answer.unscored()), ([], {"no_ip": 1}))

    def test_principals(self):
        users = [  # issuer, uuid, uid, uid_alt, name: version 2 has no uuid
            ("'arn:aws:iam::1:role/R'", "'arn:aws:sts::1:assumed-role/R/s'", "'AROA:s'", "NULL"),
            ("NULL", "'arn:aws:iam::1:user/U'", "'AIDA'", "'U'"),
            ("NULL", "NULL", "'SAML:1'", "NULL"),
            ("'-'", "''", "NULL", "'only-name'"),
        ]
        rows = " UNION ALL BY NAME ".join(
            f"""SELECT 6003 AS class_uid, {NOON} AS time, {{'ip': '198.51.100.3',
                'domain': NULL::VARCHAR}} AS src_endpoint, {{'session': {{'issuer':
                {issuer}::VARCHAR}}, 'user': {{'uid': {uid}::VARCHAR, 'uid_alt': {alt}::VARCHAR,
                'name': {name}::VARCHAR}}}} AS actor,
                {{'product': {{'name': 'CloudTrail'}}}} AS metadata"""
            for issuer, uid, alt, name in users)
        answer = kit.pairs("cloudtrail-principal", self.copy("v2.parquet", rows))
        self.assertEqual([p["entity"] for p in answer.lines],
                         ["arn:aws:iam::1:role/R", "arn:aws:iam::1:user/U", "SAML:1", "only-name"])

    def test_clusters_and_services_apart(self):
        def row(product, domain, kind):
            return f"""SELECT 6003 AS class_uid, {NOON} AS time, {{'ip': '198.51.100.3',
                'domain': {domain}::VARCHAR}} AS src_endpoint, {{'user': {{'uid': 'u', 'name': 'n',
                'type': '{kind}'}}}} AS actor, {{'product': {{'name': '{product}'}}}} AS metadata"""

        path = self.copy("mixed.parquet", " UNION ALL ".join((
            row("Amazon EKS", "NULL", "User"), row("CloudTrail", "NULL", "IAMUser"),
            row("CloudTrail", "'ec2.amazonaws.com'", "IAMUser"),
            row("CloudTrail", "NULL", "AWSService"))))
        answer = kit.pairs("cloudtrail-principal", path)
        self.assertEqual([(p["entity"], p["count"]) for p in answer.lines], [("u", 1)])
        self.assertEqual(answer.unscored(), {"no_spec": 1, "filtered": 2})
        answer = kit.pairs("eks-user", path)
        self.assertEqual([(p["entity"], p["count"]) for p in answer.lines], [("n", 1)])
        self.assertEqual(answer.unscored(), {"no_spec": 3})

    def test_own_spec(self):
        self.write("mine.spec", "# mine\nname = mine\nclasses = 4001\nentity = unmapped_.k\n"
                   "ip = hops[]\ntime = time\nnormaliser = lower\n")
        path = self.copy("m.parquet", f"""SELECT 4001 AS class_uid, {NOON} AS time,
                         {{'k': 'ABC'}} AS unmapped_, ['192.0.2.1', NULL, '192.0.2.2'] AS hops""")
        answer = kit.pairs("mine", path, options=("--spec-dir", self.folder))
        self.assertEqual([(p["entity"], p["ip"]) for p in answer.lines],
                         [("abc", "192.0.2.1"), ("abc", "192.0.2.2")])
        self.write("bad.spec", "name = x\nclases = 1\n")
        answer = kit.pairs("mine", path, options=("--spec-dir", self.folder))
        self.assertEqual(answer.status, 1)
        self.assertIn("bad.spec:2:1: there is no key \"clases\"", answer.errors)
