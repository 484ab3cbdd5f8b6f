"""What cannot be read: one line with a reason, exit 1, and the other objects go on."""
import gzip
import json
import os
import subprocess
import unittest

import kit

GOOD = {"class_uid": 4001, "time": 1764158400000, "dst_endpoint": {"instance_uid": "i-1"},
        "src_endpoint": {"ip": "192.0.2.1"}}
LARGE_BYTES = 3 << 30


class Broken(kit.Case):
    def setUp(self):
        super().setUp()
        self.good = self.write("good.json", json.dumps(GOOD))
        self.parquet = self.copy("good.parquet", """SELECT 4001 AS class_uid,
            1764158400000 AS time, {'instance_uid': 'i-' || i} AS dst_endpoint,
            {'ip': '192.0.2.' || (i % 200)} AS src_endpoint FROM range(20000) t(i)""")
        with open(self.parquet, "rb") as file:
            self.bytes = file.read()

    def refuse(self, path, reason):
        """The object between two good ones; the good ones come out whole, of it comes nothing."""
        answer = kit.pairs("vpc-ingress", self.good, path, self.good)
        self.assertEqual(answer.status, 1, answer.errors)
        self.assertEqual([p["object"] for p in answer.lines], [self.good, self.good])
        line = next(line for line in answer.errors.splitlines() if path in line)
        self.assertIn(reason, line)
        self.assertNotIn("/proc/self", answer.errors)
        self.assertIn("1 of 3 objects could not be read", answer.errors)

    def test_empty(self):
        self.refuse(self.write("e.parquet", b""), "the object is empty")
        self.refuse(self.write("e.json", b" \n"), "the object is empty")

    def test_cut_off(self):
        for length in (1, 4, 11, len(self.bytes) // 2, len(self.bytes) - 1):
            with self.subTest(length=length):
                path = self.write("cut.parquet", self.bytes[:length])
                self.refuse(path, "the end of the file is missing" if length > 11 else "Parquet")

    def test_damage_in_the_middle(self):
        """Rows before the damage are not handed out."""
        damaged = bytearray(self.bytes)
        damaged[len(damaged) // 2:len(damaged) // 2 + 3000] = b"\xff" * 3000
        answer = kit.pairs("vpc-ingress", self.write("damaged.parquet", bytes(damaged)))
        self.assertEqual((answer.status, answer.lines), (1, []))

    def test_other_schema(self):
        path = self.copy("s.parquet", "SELECT 1 AS one, 'x' AS two")
        self.refuse(path, "OCSF events have a column class_uid, this object has one, two")
        self.refuse(self.write("s.json", '{"eventVersion": "1.08"}'), "no record of this object")
        self.refuse(self.write("s.txt", "account_id,action\n"), "neither Parquet nor OCSF JSON")
        self.refuse(self.write("s.enc", b"PARE" + bytes(100) + b"PARE"), "encrypted")

    def test_json(self):
        text = json.dumps(GOOD)
        for content, reason in (
                (text[:-1], "ends in the middle"), ("[" + text, "ends in the middle"),
                ("[" + text + ",]", "wanted an object"), (text + "}", "wanted an object"),
                ("[" + text + " " + text + "]", "wanted an object"), ("[1]", "wanted an object"),
                (text + "\n" + text.replace(":", "=", 1), "record 2: not JSON at line 1"),
                ('{"class_uid": 4001, "class_uid": 4001}', "record 1"),
                ("{" + '"a":[' * 100 + "]" * 100 + "}", "record 1"),
                ('{"a": "' + "x" * (5 << 20) + '"}', "record 1 is longer than 4 MiB")):
            with self.subTest(content=content[:80]):
                self.refuse(self.write("x.json", content), reason)
        self.refuse(self.write("x.gz", gzip.compress(text.encode())[:-9]), "damaged or cut off")
        self.refuse(self.write("y.gz", gzip.compress(b"hello")), "neither Parquet nor OCSF JSON")

    def test_json_that_is_fine(self):
        text = json.dumps(GOOD)
        for content, count in ((text, 1), ("[" + text + "," + text + "]", 2), (f"{text}\n" * 3, 3),
                               (f" {text} {text}\r\n", 2), (json.dumps([GOOD], indent=2), 1)):
            for name, packed in (("a.json", content), ("a.gz", gzip.compress(content.encode()))):
                with self.subTest(content=content[:60], name=name):
                    answer = kit.pairs("vpc-ingress", self.write(name, packed))
                    self.assertEqual([p["count"] for p in answer.lines], [count], answer.errors)
        answer = kit.pairs("vpc-ingress", self.write("none.json", "[ ]"))
        self.assertEqual((answer.status, answer.lines), (0, []))

    def test_large(self):
        path = self.path("large.parquet")
        with open(path, "wb") as file:
            file.truncate(LARGE_BYTES)
        self.refuse(path, f"{LARGE_BYTES} bytes, more than the limit of {1 << 30}")

    def test_not_a_file(self):
        os.mkfifo(self.path("pipe.parquet"))
        self.refuse(self.path("pipe.parquet"), "a pipe, not a file")
        self.refuse("/dev/zero", "a device, not a file")
        self.refuse(self.path("absent"), "No such file")

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "root may all")
    def test_no_permission(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.good, 0o000)
        command = [kit.BINARY, "pairs", "--spec", "vpc-ingress", self.good]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=kit.SECONDS_MAX)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)

    def test_without_the_library(self):
        env = {"PAIRWATCH_DUCKDB": self.path("absent.so")}
        answer = kit.pairs("vpc-ingress", self.good, env=env)
        self.assertEqual((answer.status, len(answer.lines)), (0, 1))
        answer = kit.pairs("vpc-ingress", self.parquet, env=env)
        self.assertEqual((answer.status, answer.lines), (1, []))
        self.assertIn("absent.so", answer.errors)

    def test_usage(self):
        answer = kit.pairs("nope", self.good)
        self.assertEqual(answer.status, 1)
        self.assertIn("there is no spec \"nope\"; known are cloudtrail-principal, ", answer.errors)
        done = subprocess.run([kit.BINARY, "pairs", self.good], capture_output=True, text=True,
                              timeout=kit.SECONDS_MAX)
        self.assertEqual(done.returncode, 2)
