"""`work --post`: what a server holds in the end is what the same work leaves in a database, whatever happens on the way."""
import gzip
import json
import shutil
import signal
import subprocess
import threading
import unittest

from delivery import Serve, Trouble, held
from kit import FORMS, RUN_SECONDS_MAX, Lake, subscriber_form


def day(key):
    return key.split("eventDay=")[1].split("/")[0]


class PostTest(Lake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        days = sorted({day(key) for key, _, _ in cls.objects})[:2]
        cls.objects = [thing for thing in cls.objects if day(thing[0]) in days]
        cls.run_program("train", "--out", "flags.model", "--threshold-percentile", "90",
                        *(f"lake/{key}" for key, _, _ in cls.objects if day(key) == days[0]))
        for key, _, _ in cls.objects:
            (cls.folder / "few" / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(cls.folder / "lake" / key, cls.folder / "few" / key)
        broken = cls.folder / "few" / cls.objects[0][0].replace(".gz.parquet", "x.gz.parquet")
        broken.write_bytes(b"PAR1 and then nothing of the kind")
        cls.run_program("work", "--queue", "dir:few", "--scorer", "model:flags.model", "--once",
                        "--database", "sqlite:direct.db", status=1)
        cls.wanted = held(cls.folder / "direct.db")
        assert len(cls.wanted["observations"]) > 100 and len(cls.wanted["findings"]) > 5
        assert sum(row[8] is not None for row in cls.wanted["objects"]) == 1

    def serve(self, name, *arguments):
        server = Serve(self.folder, name, *arguments)
        self.addCleanup(server.end)
        return server

    def post(self, url, token, *more, status=None, queue="dir:few", **environment):
        """A status of None: it went to the end, whether or not objects failed."""
        (self.folder / "token").write_text(token + "\n")
        out, err = self.run_program("work", "--queue", queue, "--scorer", "model:flags.model", "--once", "--post", url,
                                    "--token-file", "token", *more, status=status, **environment)
        if status is None:
            self.assertNotRegex(err.splitlines()[-1], "^pairwatch: (?![0-9]+ of [0-9]+ objects failed)")
        return out, err

    def assert_held(self, server, attempts=True):
        got = held(server.path)
        for name, rows in self.wanted.items():
            if name == "objects" and not attempts:
                rows, got[name] = ([row[:-1] for row in table] for table in (rows, got[name]))
            self.assertEqual(len(got[name]), len(rows), name)
            unlike = [pair for pair in zip(got[name], rows) if pair[0] != pair[1]]
            self.assertFalse(unlike, f"{name}: {str(unlike[:1])[:2000]}")

    def test_a_server_holds_what_a_database_would(self):
        server = self.serve("plain.db")
        out, err = self.post(server.url, server.token)
        self.assert_held(server)
        direct, _ = self.run_program("work", "--queue", "dir:few", "--scorer", "model:flags.model", "--once",
                                     "--database", "sqlite:again.db", status=1)
        self.assertEqual(out, direct)
        self.assertNotIn(server.token, out + err + server.path.with_suffix(".log").read_text())
        out, _ = self.post(server.url, server.token)  # all of it again
        self.assertIn(f"{len(self.wanted['objects']) - 1} stored before", out)
        self.assert_held(server, attempts=False)

    def test_parts_of_any_size(self):
        server = self.serve("parts.db")
        with Trouble(lambda: server.port, lambda n: None) as way:
            self.post(way.url, server.token, "--post-rows-max", "9")
            self.assertGreater(way.count, 2 * len(self.wanted["objects"]))
            keys = [headers["Idempotency-Key"] for _, _, headers in way.seen if "Idempotency-Key" in headers]
            self.assertEqual(len(keys), len(set(keys)))
            self.assertTrue(all(headers["Content-Encoding"] == "gzip" for _, _, headers in way.seen))
        self.assert_held(server)

    def test_trouble_on_the_way(self):
        server = self.serve("trouble.db")
        fates = {2: (503, {}), 3: "cut", 5: "lost", 7: (500, {}), 9: "lost"}
        with Trouble(lambda: server.port, lambda n: fates.get(n % 12)) as way:
            self.post(way.url, server.token, "--post-rows-max", "20", "--threads", "2")
            self.assertGreater(way.count, 60)
        self.assert_held(server, attempts=False)  # a failure is told again when its answer was lost

    def test_a_pause_that_the_server_asks_for_is_kept_by_all(self):
        server = self.serve("pause.db")
        with Trouble(lambda: server.port, lambda n: (429, {"Retry-After": "3"}) if n == 3 else None) as way:
            self.post(way.url, server.token, "--threads", "3", "--post-rows-max", "30")
            at = [moment for moment, _, _ in way.seen]
            after = [moment - at[2] for moment in at[3:]]
            self.assertGreater(len(after), 3)
            self.assertEqual([gap for gap in after if 1.5 < gap < 2.9], [])  # what was under way by then aside
            self.assertLess(min(gap for gap in after if gap >= 2.9), 15)
        self.assert_held(server)

    def test_a_proxy_that_takes_less(self):
        server = self.serve("less.db")
        with Trouble(lambda: server.port, lambda n: lambda body: (413, {}) if len(gzip.decompress(body)) > 20000 else None) as way:
            self.post(way.url, server.token)
            self.assertGreater(way.count, len(self.wanted["objects"]))
        self.assert_held(server)

    def test_a_server_killed_in_mid_stream(self):
        server = self.serve("killed.db")
        killed = threading.Event()

        def kill(_):
            server.end(signal.SIGKILL)
            killed.set()
            threading.Timer(1, server.start).start()

        with Trouble(lambda: server.port, lambda n: kill if n == 9 else "cut" if n == 10 else None) as way:
            self.post(way.url, server.token, "--post-rows-max", "20")
        self.assertTrue(killed.is_set())
        self.assert_held(server)

    def test_a_queue_gives_up_its_messages_only_once_the_server_has_them(self):
        server = self.serve("queue.db")
        queue, some = self.emulator.queue("post", VisibilityTimeout="3"), self.objects[:12]
        for place, thing in enumerate(some):
            self.emulator.send(queue, FORMS[place % len(FORMS)](*thing))
        with Trouble(lambda: server.port, lambda n: (401, {})) as way:  # nothing gets through
            _, err = self.post(way.url, server.token, queue=f"sqs:{queue}", status=1)
            self.assertIn("401", err)
        self.assertEqual(sum(self.emulator.waiting(queue)), len(some))
        with Trouble(lambda: server.port, lambda n: "lost" if n % 3 == 0 else None) as way:
            process = self.start("work", "--queue", f"sqs:{queue}", "--scorer", "model:flags.model", "--post", way.url,
                                 "--token-file", "token", "--post-rows-max", "5")
            while way.count < 9:
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGKILL)  # some parts are stored, and some messages in hand
            process.communicate()
        while sum(self.emulator.waiting(queue)) > 0:
            self.post(server.url, server.token, queue=f"sqs:{queue}")
        got = held(server.path)
        self.assertTrue(got["observations"] == self.wanted_from_s3(some))
        self.assertTrue(all(row[8] is None for row in got["objects"]))
        self.assertEqual(len(got["objects"]), len(some))
        self.assertEqual(self.emulator.referee()["refused"], [])

    def wanted_from_s3(self, objects):
        """The observations of a direct run on a queue: names of bucket and etag are S3's."""
        queue = self.emulator.queue("post-direct")
        for thing in objects:
            self.emulator.send(queue, subscriber_form(*thing))
        self.run_program("work", "--queue", f"sqs:{queue}", "--scorer", "model:flags.model", "--once",
                         "--database", "sqlite:post-direct.db")
        return held(self.folder / "post-direct.db")["observations"]

    def test_a_token_replaced_while_it_works(self):
        server = self.serve("token.db")

        def replace(_):
            (self.folder / "token.new").write_text(server.token)
            (self.folder / "token.new").rename(self.folder / "token")
            return (401, {})

        with Trouble(lambda: server.port, lambda n: replace if n == 1 else None) as way:
            self.post(way.url, "pw_an-older-one")
        self.assert_held(server)

    def test_what_a_server_refuses_says_why(self):
        server = self.serve("refuse.db")
        cases = (
            (server.url, "pw_unknown", "401.*token"),
            (server.url, server.make_token("reader", "read"), "403.*role ingest"),
            (server.url + "/elsewhere", server.token, "40[45].*address of a pairwatch server"),
        )
        for url, token, reason in cases:
            with self.subTest(reason=reason):
                out, err = self.post(url, token, status=1)
                self.assertRegex(err, reason)
                self.assertNotIn(token, out + err)
        with Trouble(lambda: server.port, lambda n: (200, {})) as way:
            self.assertIn("else than a receipt", self.post(way.url, server.token, status=1)[1])
        self.assertEqual(held(server.path)["objects"], [])

    def test_an_object_that_a_server_refuses_harms_no_other(self):
        server = self.serve("one.db")
        key = self.objects[1][0]

        def refuse(body):
            first = json.loads(gzip.decompress(body).split(b"\n", 1)[0])["object"]
            return (422, {}) if first["key"] == key and "error" not in first else None

        with Trouble(lambda: server.port, lambda n: refuse) as way:
            self.post(way.url, server.token)
        failed = {row[1]: row[9] for row in held(server.path)["objects"] if row[8] is not None}
        self.assertIn("422", failed[key])
        self.assertEqual(len(failed), 2)

    def test_what_cannot_be_meant(self):
        for arguments, reason in (
            (["--post", "http://example.com", "--token-file", "token"], "unencrypted"),
            (["--post", "http://localhost:1@example.com", "--token-file", "token"], "not \"http"),
            (["--post", "ftp://localhost", "--token-file", "token"], "https://HOST"),
            (["--post", "https://localhost"], "--token-file"),
            (["--post", "https://localhost", "--token-file", "none"], "none"),
            (["--post", "https://localhost", "--token-file", "token", "--database", "sqlite:x.db"], "not to both"),
            (["--post", "https://localhost", "--token-file", "token", "--scorer", "active"], "model:FILE"),
            (["--post", "https://localhost", "--token", "pw_x"], "token"),
        ):
            with self.subTest(arguments=arguments):
                (self.folder / "token").write_text("pw_x")
                scorer = [] if "--scorer" in arguments else ["--scorer", "model:flags.model"]
                process = self.start("work", "--queue", "dir:few", *scorer, "--once", *arguments)
                _, err = process.communicate(timeout=RUN_SECONDS_MAX)
                self.assertIn(process.returncode, (1, 2))
                self.assertIn(reason, err)

    def test_over_tls_only_with_a_certificate_that_is_trusted(self):
        for name, of in (("own", "127.0.0.1"), ("other", "127.0.0.2")):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2", "-subj", "/CN=pairwatch",
                            "-addext", f"subjectAltName=IP:{of}"], cwd=self.folder, check=True, capture_output=True)
        server = self.serve("tls.db", "--tls-cert", "own.crt", "--tls-key", "own.key")
        url = f"https://127.0.0.1:{server.port}"
        self.post(url, server.token, "--ca-bundle", "own.crt")
        self.assert_held(server)
        wrong = self.serve("wrong.db", "--tls-cert", "other.crt", "--tls-key", "other.key")
        for url, bundle in ((url, "other.crt"), (f"https://127.0.0.1:{wrong.port}", "other.crt")):
            _, err = self.post(url, server.token, "--ca-bundle", bundle, "--threads", "1", status=1)
            self.assertRegex(err, "certificate|SSL")


if __name__ == "__main__":
    unittest.main()
