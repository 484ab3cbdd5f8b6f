"""Who may do what: every operation against every role, sessions, users, tokens."""
import concurrent.futures
import re
import unittest

from server import CONTRACT, Client, Server, batch, score

ROLES = (None, "ingest", "read", "triage", "admin", "notify")
MAY = {  # the operation's role: who has it
    "none": {None, "ingest", "read", "triage", "admin", "notify"},
    "notify": {"notify", "ingest", "admin"},
    "ingest": {"ingest", "admin"},
    "read": {"read", "triage", "admin"},
    "triage": {"triage", "admin"},
    "admin": {"admin"},
}
LONG = "correct horse battery"


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_every_operation_against_every_role(self):
        for operation in CONTRACT.operations:
            path = operation.path.replace("{id}", "999999").replace("{name}", "nobody-here")
            if path.endswith("/stream"):
                path += "?nonsense=1"  # refused, for it never ends
            types = operation.body_types()
            for role in ROLES:
                with self.subTest(operation=operation.id, role=role):
                    # A body that cannot be read, so that nobody changes anything.
                    reply = self.server.client(role).call(
                        operation.method, path, body=b"{" if types else None,
                        type=types[0] if types else None,
                    )
                    if role in MAY[operation.role] and operation.id != "delete_session":
                        self.assertNotIn(reply.status, (403, 405))
                        if operation.id != "create_session":
                            self.assertNotEqual(reply.status, 401)
                    else:
                        # A token has no session to end.
                        self.assertEqual(reply.status, 403 if role else 401)
                    if reply.status == 401:
                        self.assertIn("www-authenticate", reply.headers)

    def test_wrong_credentials_are_refused_also_where_none_are_needed(self):
        good = self.server.used_tokens["read"]
        for value in (f"Bearer {good}x", f"Bearer {good[:-1]}", "Bearer pw_", "Bearer ", "Bearer",
                      f"Basic {good}", good, f"Bearer {good} {good}", "Bearer " + "A" * 5000):
            reply = Client(self.server.port).get(
                "/api/v1/session", headers={"Authorization": value})
            self.assertEqual(reply.status, 401, value[:30])
        self.assertEqual(Client(self.server.port, cookie="forged").get("/api/v1/session").status, 401)

    def test_the_scheme_is_read_in_any_case(self):
        token = self.server.client("read").token
        for scheme in ("bearer", "BEARER"):
            reply = Client(self.server.port).raw(
                "GET", "/api/v1/session", headers={"Authorization": f"{scheme} {token}"})
            self.assertEqual(reply.status, 200, scheme)

    def test_session_life(self):
        client = self.server.sign_in("tess")
        who = client.get("/api/v1/session").value
        self.assertEqual((who["actor"], who["name"], who["role"], who["must_change_password"]),
                         ("user:tess", "tess", "triage", False))
        self.assertIsNotNone(who["csrf_token"])
        self.assertIsNotNone(who["expires"])
        self.assertEqual(client.call("DELETE", "/api/v1/session").status, 204)
        self.assertEqual(client.get("/api/v1/session").status, 401)

    def test_the_cookie_is_guarded(self):
        reply = Client(self.server.port).post(
            "/api/v1/session", {"name": "tess", "password": self.server.password})
        cookie = reply.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(part, cookie)
        self.assertEqual(reply.headers["cache-control"], "no-store")

    def test_behind_a_proxy_of_tls_the_cookie_is_secure(self):
        with Server("--behind-proxy") as server:
            for proto, secure in (("https", True), ("http", False), (None, False)):
                reply = Client(server.port).post(
                    "/api/v1/session", {"name": "tess", "password": server.password},
                    headers={"X-Forwarded-Proto": proto})
                self.assertEqual(reply.status, 201, reply.body)
                self.assertEqual("Secure" in reply.headers["set-cookie"], secure)

    def test_unsafe_methods_need_the_csrf_token(self):
        client = self.server.sign_in("tess")
        items = {"items": [{"id": 1, "version": 1, "patch": {"status": "new"}}]}
        good = client.csrf
        for csrf in (None, "", good[:-1], good + "x", "x" * len(good)):
            client.csrf = csrf
            self.assertEqual(client.post("/api/v1/findings/bulk", items).status, 403, csrf)
            self.assertEqual(client.call("DELETE", "/api/v1/session").status, 403)
        client.csrf = good
        self.assertEqual(client.post("/api/v1/findings/bulk", items).status, 200)

    def test_a_token_tells_who_it_is(self):
        who = self.server.client("ingest").get("/api/v1/session")
        self.assertEqual(who.status, 403)
        who = self.server.client("read").get("/api/v1/session").value
        self.assertEqual((who["actor"], who["csrf_token"], who["expires"]),
                         ("token:test-read", None, None))

    def test_bad_sign_ins(self):
        anyone = Client(self.server.port)
        for value, status in (
            ({"name": "tess", "password": "wrong"}, 401),
            ({"name": "ghost", "password": "wrong"}, 401),
            ({"name": "../x y", "password": "wrong"}, 401),
            ({"name": "tess"}, 422),
            ({"name": "", "password": "x"}, 422),
            ({"name": "tess", "password": "x" * 1025}, 422),
            ({"name": "tess", "password": "x", "more": 1}, 422),
            ([], 422),
        ):
            self.assertEqual(anyone.post("/api/v1/session", value).status, status, value)

    def test_users(self):
        admin = self.server.sign_in("root")
        new = {"name": "uma", "role": "read", "password": LONG}
        reply = admin.post("/api/v1/users", new)
        self.assertEqual((reply.status, reply.value["role"], reply.value["disabled"]),
                         (201, "read", False))
        self.assertEqual(admin.post("/api/v1/users", new).status, 409)
        uma = self.server.sign_in("uma", LONG)
        self.assertEqual(uma.get("/api/v1/users").status, 403)
        reply = admin.patch("/api/v1/users/uma", {"role": "triage"})
        self.assertEqual((reply.status, reply.value["role"]), (200, "triage"))
        self.assertEqual(uma.get("/api/v1/session").value["role"], "triage")
        self.assertEqual(admin.patch("/api/v1/users/uma", {"disabled": True}).status, 200)
        self.assertEqual(uma.get("/api/v1/session").status, 401)
        again = Client(self.server.port).post("/api/v1/session", {"name": "uma", "password": LONG})
        self.assertEqual(again.status, 401)
        self.assertEqual(admin.patch("/api/v1/users/ghost", {"role": "read"}).status, 404)
        names = [u["name"] for u in admin.get("/api/v1/users").value["users"]]
        self.assertEqual(names, sorted(names))
        self.assertIn("uma", names)
        for bad in ({"name": "UPPER", "role": "read", "password": LONG},
                    {"name": "u2", "role": "ingest", "password": LONG},
                    {"name": "u2", "role": "read", "password": "short"},
                    {"name": "u2", "role": "read"}):
            self.assertEqual(admin.post("/api/v1/users", bad).status, 422, bad)
        for bad in ({}, {"role": "ingest"}, {"password": "short"}, {"disabled": 1}, {"name": "x"}):
            self.assertEqual(admin.patch("/api/v1/users/uma", bad).status, 422, bad)

    def test_the_last_administrator_stays(self):
        admin = self.server.sign_in("root")
        for change in ({"disabled": True}, {"role": "read"}):
            self.assertEqual(admin.patch("/api/v1/users/root", change).status, 409, change)

    def test_a_reset_password_must_be_changed(self):
        admin = self.server.sign_in("root")
        admin.post("/api/v1/users", {"name": "vera", "role": "triage", "password": LONG})
        other = self.server.sign_in("vera", LONG)
        vera = self.server.sign_in("vera", LONG)
        change = {"current": LONG, "new": LONG + " staple"}
        self.assertEqual(vera.call("PUT", "/api/v1/session/password",
                                   {**change, "current": "wrong"}).status, 403)
        self.assertEqual(vera.call("PUT", "/api/v1/session/password",
                                   {**change, "new": "short"}).status, 422)
        self.assertEqual(vera.call("PUT", "/api/v1/session/password", change).status, 204)
        self.assertEqual(vera.get("/api/v1/session").status, 200)
        self.assertEqual(other.get("/api/v1/session").status, 401, "other sessions end")
        self.assertEqual(admin.patch("/api/v1/users/vera", {"password": LONG}).status, 200)
        self.assertEqual(vera.get("/api/v1/session").status, 401)
        vera = self.server.sign_in("vera", LONG)
        self.assertTrue(vera.get("/api/v1/session").value["must_change_password"])
        refused = vera.get("/api/v1/findings")
        self.assertEqual(refused.status, 403)
        self.assertIn("choose your own", refused.value["detail"])
        same = vera.call("PUT", "/api/v1/session/password", {"current": LONG, "new": LONG})
        self.assertEqual((same.status, same.value["errors"][0]["pointer"]), (422, "/new"))
        self.assertEqual(vera.get("/api/v1/findings").status, 403)
        self.assertEqual(vera.call("PUT", "/api/v1/session/password",
                                   {"current": LONG, "new": LONG + "."}).status, 204)
        self.assertEqual(vera.get("/api/v1/findings").status, 200)

    def test_a_token_has_no_password(self):
        reply = self.server.client("admin").call(
            "PUT", "/api/v1/session/password", {"current": LONG, "new": LONG + "!"})
        self.assertEqual(reply.status, 403)

    def test_tokens(self):
        admin = self.server.admin
        reply = admin.post("/api/v1/tokens", {"name": "soar", "role": "triage"})
        self.assertEqual(reply.status, 201)
        secret = reply.value["secret"]
        self.assertRegex(secret, r"^pw_[A-Za-z0-9_-]{40,}$")
        soar = Client(self.server.port, token=secret)
        self.assertEqual(soar.get("/api/v1/findings").status, 200)
        self.assertEqual(admin.post("/api/v1/tokens", {"name": "soar", "role": "read"}).status, 409)
        (listed,) = [t for t in admin.get("/api/v1/tokens").value["tokens"] if t["name"] == "soar"]
        self.assertTrue(secret.startswith(listed["prefix"]))
        self.assertLess(len(listed["prefix"]), 12)
        self.assertEqual(admin.call("DELETE", f"/api/v1/tokens/{listed['id']}").status, 204)
        self.assertEqual(soar.get("/api/v1/findings").status, 401)
        self.assertEqual(admin.call("DELETE", "/api/v1/tokens/999999").status, 404)
        for bad in ({"name": "Bad Name", "role": "read"}, {"name": "x", "role": "none"},
                    {"name": "x", "role": "read", "expires": "2020-01-01T00:00:00Z"},
                    {"name": "x", "role": "read", "expires": "soon"}):
            self.assertEqual(admin.post("/api/v1/tokens", bad).status, 422, bad)

    def test_changes_of_access_are_told(self):
        admin = self.server.sign_in("root")
        before = admin.get("/api/v1/changes").value["last_seq"]
        token = admin.post("/api/v1/tokens", {"name": "told", "role": "read"}).value
        admin.call("DELETE", f"/api/v1/tokens/{token['id']}")
        admin.post("/api/v1/users", {"name": "told", "role": "read", "password": LONG})
        admin.patch("/api/v1/users/told", {"password": LONG + "x", "role": "triage"})
        changes = admin.get(f"/api/v1/changes?after={before}").value["changes"]
        self.assertEqual([c["kind"] for c in changes],
                         ["token_created", "token_revoked", "user_created", "user_updated"])
        self.assertEqual({c["actor"] for c in changes}, {"user:root"})
        self.assertEqual(changes[-1]["body"],
                         {"name": "told", "changed": "role, password", "role": "triage"})
        for secret in (token["secret"], LONG, "scrypt"):
            self.assertNotIn(secret, str(changes))

    def test_guessing_is_slowed_down(self):
        def guess(_):
            return Client(self.server.port).post(
                "/api/v1/session", {"name": "rita", "password": "a guess"})

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(guess, range(40)))
        self.assertIn(429, [r.status for r in replies])
        self.assertEqual({r.status for r in replies} - {401, 429, 503}, set())
        for reply in replies:
            if reply.status in (429, 503):
                self.assertRegex(reply.headers["retry-after"], r"^\d+$")
        good = Client(self.server.port).post(
            "/api/v1/session", {"name": "rita", "password": self.server.password})
        self.assertEqual(good.status, 429, "also the right one, while the limit holds")


class FirstStart(unittest.TestCase):
    def test_an_administrator_is_made_once(self):
        server = Server()
        try:
            server.start()
            password = re.search(r"password[: ]+(\S+)", server.printed).group(1)
            admin = server.sign_in("admin", password)
            who = admin.get("/api/v1/session").value
            self.assertEqual((who["role"], who["must_change_password"]), ("admin", True))
            self.assertEqual(server.stop(), 0)
            self.assertNotIn(password, server.errors())
            server.start()
            self.assertNotIn("password", server.printed)
        finally:
            server.__exit__(None, None, None)


if __name__ == "__main__":
    unittest.main()
