"""serve, user, token and migrate from outside: one line and exit 1 when they cannot."""
import fcntl
import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import termios
import unittest
import urllib.request

from server import BINARY, POSTGRES, Client, Server

LONG = "correct horse battery"


class Outside(unittest.TestCase):
    def setUp(self):
        self.server = Server()

    def tearDown(self):
        if self.server.folder.exists():
            os.chmod(self.server.folder, 0o700)
        self.server.__exit__(None, None, None)

    def serve(self, *arguments, listen="127.0.0.1:0", through=()):
        return subprocess.run(
            [*through, str(BINARY), "serve", "--listen", listen, "--database", self.server.database,
             *arguments],
            capture_output=True, text=True, timeout=30, cwd=self.server.folder)

    def run_command(self, *arguments):
        return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=30,
                              cwd=self.server.folder)

    def fails(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("pairwatch: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class Commands(Outside):
    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = self.serve(listen=f"127.0.0.1:{port}")
            self.fails(done, 1, str(port))
            self.assertEqual(done.stdout, "", "a one-time password for nothing")

    def test_a_database_of_a_newer_version(self):
        self.server.command("migrate")
        self.server.execute("INSERT INTO schema_migration VALUES ('9999_later.sql', 'x', 1)")
        self.fails(self.serve(), 1, "newer")

    def test_a_missing_model(self):
        self.fails(self.serve("--model", "/nonexistent.model"), 1, "/nonexistent.model")

    def test_a_missing_model_of_the_worker(self):
        done = self.run_command("work", "--queue", f"dir:{self.server.folder}", "--scorer",
                                "model:/nonexistent.model", "--once")
        self.fails(done, 1, "/nonexistent.model")
        self.assertEqual(done.stdout, "")

    def test_training_for_a_file_that_cannot_be_written(self):
        pairs = self.server.folder / "pairs.csv"
        pairs.write_text("entity,ip\n")  # would be told first if the folder were looked at last
        self.fails(self.run_command("train", "--out", "/nonexistent/x", str(pairs)), 1,
                   "/nonexistent/x")
        self.fails(self.run_command("train", "--out", str(self.server.folder), str(pairs)), 1,
                   "is a folder")

    def test_a_missing_web_folder(self):
        self.fails(self.serve("--web-dir", "/nonexistent"), 1, "/nonexistent")

    def test_bad_flags(self):
        self.fails(self.serve(listen="8080"), 2, "HOST:PORT")
        self.fails(self.serve("--tls-cert", "x"), 2, "--tls-key")
        self.fails(self.serve("--bogus"), 2)

    def test_help_names_every_flag(self):
        for command in ("serve", "user", "token", "migrate"):
            done = subprocess.run([str(BINARY), command, "--help"], capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual(done.returncode, 0)
            self.assertIn("--database", done.stdout)

    def test_an_administrators_password_from_a_file(self):
        secret = self.server.folder / "secret"
        secret.write_text(LONG + "\n")
        self.server.arguments = ("--admin-password-file", str(secret))
        self.server.start()
        self.assertNotIn(LONG, self.server.printed + self.server.errors())
        who = self.server.sign_in("admin", LONG).get("/api/v1/session").value
        self.assertEqual((who["role"], who["must_change_password"]), ("admin", False))

    def test_users(self):
        command = self.server.command
        command("user", "add", "ana", "--role", "triage", input=LONG + "\n")
        again = command("user", "add", "ana", "--role", "read", input=LONG + "\n", check=False)
        self.fails(again, 1, "ana")
        self.fails(command("user", "add", "bo", "--role", "ingest", input=LONG, check=False), 2)
        self.fails(command("user", "add", "bo", "--role", "read", input="short\n", check=False), 1)
        self.fails(command("user", "add", "bo", "--role", "read", input="", check=False), 1)
        self.fails(command("user", "add", "B O", "--role", "read", input=LONG, check=False), 2)
        self.fails(command("user", "passwd", "ghost", input=LONG, check=False), 1, "ghost")
        self.fails(command("user", "nonsense", check=False), 2)
        self.fails(command("user", check=False), 2)
        self.server.start()
        self.assertNotIn("one-time", self.server.printed)
        ana = self.server.sign_in("ana", LONG)
        command("user", "disable", "ana")
        self.assertEqual(ana.get("/api/v1/session").status, 401)
        command("user", "enable", "ana")
        command("user", "passwd", "ana", input=LONG + "!\n")
        command("user", "role", "ana", "--role", "read")
        self.assertEqual(self.server.sign_in("ana", LONG + "!").get("/api/v1/session").value["role"],
                         "read")
        self.assertRegex(command("user", "list").stdout, r"ana +read +enabled +\d{4}-")

    def test_a_password_is_typed_unseen_and_the_terminal_comes_back(self):
        for typed, code in ((LONG.encode() + b"\n", 0), (b"half a pass\x03", -signal.SIGINT)):
            master, slave = pty.openpty()
            process = subprocess.Popen(
                [str(BINARY), "user", "add", "ann", "--role", "read", "--database",
                 self.server.database],
                stdin=slave, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True, cwd=self.server.folder,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            self.assertEqual(process.stderr.read(len("password: ")), b"password: ")
            self.assertFalse(termios.tcgetattr(master)[3] & termios.ECHO)
            os.write(master, typed)
            self.assertEqual(process.wait(30), code)
            self.assertTrue(termios.tcgetattr(master)[3] & termios.ECHO)
            process.stderr.close()
            os.close(slave)
            os.close(master)

    def test_tokens(self):
        command = self.server.command
        secret = self.server.make_token("soar", "triage")
        self.fails(command("token", "create", "soar", "--role", "read", check=False), 1, "soar")
        self.fails(command("token", "create", "x", check=False), 2, "--role")
        self.fails(command("token", "revoke", "ghost", check=False), 1, "ghost")
        command("token", "create", "short", "--role", "read", "--expires", "90d")
        listed = command("token", "list").stdout
        self.assertRegex(listed, r"soar +triage +pw_\S+")
        self.assertRegex(listed, r"short +read .*expires \d{4}-")
        self.assertNotIn(secret, listed)
        self.server.start()
        soar = Client(self.server.port, token=secret)
        self.assertEqual(soar.get("/api/v1/findings").status, 200)
        command("token", "revoke", "soar")
        self.assertEqual(soar.get("/api/v1/findings").status, 401)

    def test_secrets_are_not_stored(self):
        secret = self.server.make_token("soar", "triage")
        self.server.command("user", "add", "ana", "--role", "triage", input=LONG + "\n")
        self.server.start()
        cookie = self.server.sign_in("ana", LONG).cookie
        self.server.stop()
        stored = self.server.stored()
        for text in (secret, LONG, cookie):
            self.assertNotIn(text.encode(), stored)

    def test_a_token_that_expired(self):
        secret = self.server.make_token("old", "read")
        self.server.start()
        self.server.execute("UPDATE token SET expires_ms = 1000")
        self.assertEqual(Client(self.server.port, token=secret).get("/metrics").status, 401)

    def test_tls(self):
        cert, key = self.server.folder / "cert.pem", self.server.folder / "key.pem"
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-days", "2", "-keyout", str(key), "-out", str(cert)], capture_output=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.server.arguments = ("--tls-cert", str(cert), "--tls-key", str(key))
        self.server.start()
        self.assertIn("https://", self.server.printed)
        context = ssl.create_default_context(cafile=str(cert))
        url = f"https://127.0.0.1:{self.server.port}/healthz"
        with urllib.request.urlopen(url, context=context, timeout=10) as reply:
            self.assertEqual(reply.status, 200)
        self.fails(self.serve("--tls-cert", str(key), "--tls-key", str(key)), 1)

    def test_a_signal_ends_it_cleanly(self):
        self.server.start()
        self.assertRegex(self.server.printed, r"http://127\.0\.0\.1:\d+")
        self.assertEqual(self.server.stop(), 0)

    def test_requests_are_logged_without_secrets(self):
        secret = self.server.make_token("soar", "triage")
        self.server.command("user", "add", "ana", "--role", "triage", input=LONG + "\n")
        self.server.start()
        Client(self.server.port, token=secret).get("/api/v1/findings?q=looked-for")
        ana = self.server.sign_in("ana", LONG)
        self.server.stop()
        log = self.server.errors()
        self.assertTrue(re.search(r"GET.*/api/v1/findings.*200", log), log)
        for text in (secret, LONG, ana.cookie, ana.csrf):
            self.assertNotIn(text, log)


if not POSTGRES:

    class Files(Outside):
        def test_a_file_that_is_no_database(self):
            (self.server.folder / "test.db").write_bytes(b"this is no database, and long enough to be looked at" * 100)
            self.fails(self.serve(), 1, "test.db")

        def test_a_folder_that_is_not_there(self):
            self.server.database = "sqlite:/nonexistent/folder/x.db"
            self.fails(self.serve(), 1, "/nonexistent/folder/x.db")

        def test_a_read_only_folder(self):
            os.chmod(self.server.folder, 0o500)
            # root without the capability to write everywhere is like anybody
            plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
            self.fails(self.serve(through=plain if os.geteuid() == 0 else []), 1, "test.db")


if __name__ == "__main__":
    unittest.main()
