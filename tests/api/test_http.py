"""What holds for every operation: methods, media types, sizes, encodings, the contract itself."""
import gzip
import http.client
import json
import socket
import unittest

from server import CONTRACT, Server, batch, score


MODEL = "outside-1"  # of batch()


def filled(path):
    path = path.replace("/models/{id}", f"/models/{MODEL}")
    path = path.replace("{entity}", "i-1").replace("{ip}", "10.0.0.1")
    return path.replace("{id}", "1").replace("{name}", "root")


# What an operation cannot be asked without.
QUERIES = {"lookup_pair": "?entity=i-1&ip=10.0.0.1"}


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.admin = cls.server.admin
        cls.admin.post("/api/v1/scores", batch(score("i-1", score=0.9)))
        cls.server.execute("INSERT INTO object (bucket, key, etag, size_bytes, rows, pairs, scored, unscored, attempts,"
                           " finished_ms) VALUES ('b', 'k', 'e', 1, 1, 1, 1, '{}', 1, 1)")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_every_operation_answers(self):
        for operation in CONTRACT.operations:
            if operation.method != "GET" or operation.path.endswith("/stream"):  # that one never ends
                continue
            with self.subTest(operation=operation.id):
                reply = self.admin.get(filled(operation.path) + QUERIES.get(operation.id, ""))
                self.assertEqual(reply.status, 200, reply.body)

    def test_every_other_method_is_405_with_allow(self):
        for path in sorted({o.path for o in CONTRACT.operations}):
            allowed = CONTRACT.methods_of(filled(path))
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if method in allowed:
                    continue
                with self.subTest(path=path, method=method):
                    reply = self.admin.raw(method, filled(path), b"{}" if method != "GET" else None)
                    self.assertEqual(reply.status, 405)
                    CONTRACT.check_problem(405, reply.type, reply.body)
                    listed = {m.strip() for m in reply.headers["allow"].split(",")}
                    self.assertEqual(listed - {"HEAD", "OPTIONS"}, set(allowed))

    def test_unknown_paths(self):
        for path in ("/api/v1/nothing", "/api/v2/findings", "/api/v1/findings/1/2/3", "/api/v1/",
                     "/api", "/api/v1/findings/", "/api/v1//findings"):
            reply = self.admin.raw("GET", path)
            self.assertEqual(reply.status, 404, path)
            CONTRACT.check_problem(404, reply.type, reply.body)

    def test_bodies_of_another_type_are_415(self):
        for operation in CONTRACT.operations:
            if not operation.body_types():
                continue
            for type in ("text/plain", "application/xml", "", "application/jsonx", None):
                with self.subTest(operation=operation.id, type=type):
                    reply = self.admin.call(operation.method, filled(operation.path), body=b"{}",
                                            type=type, headers={"If-Match": '"v1"'})
                    self.assertEqual(reply.status, 415, reply.body)

    def test_bodies_over_the_limit_are_413(self):
        for operation in CONTRACT.operations:
            if not operation.body_max:
                continue
            with self.subTest(operation=operation.id):
                body = b" " * (operation.body_max + 1)
                try:
                    reply = self.admin.call(operation.method, filled(operation.path), body=body,
                                            type=operation.body_types()[0])
                    self.assertEqual(reply.status, 413)
                except (BrokenPipeError, ConnectionResetError):
                    self.admin.close()  # refused by the announced length, before it was sent
        self.assertEqual(self.admin.get("/healthz").status, 200)

    def test_a_body_where_none_is_taken(self):
        reply = self.admin.call("GET", "/api/v1/findings", body=b"{}")
        self.assertIn(reply.status, (200, 400, 413))
        reply = self.admin.call("DELETE", "/api/v1/tokens/999999", body=b"{}" * 5000)
        self.assertIn(reply.status, (400, 404, 413))

    def test_json_that_is_none_is_400(self):
        for operation in CONTRACT.operations:
            types = operation.body_types()
            if not types:
                continue
            for body in (b"", b"{", b"{'a': 1}", b"\xff", b'{"a": 1} x'):
                with self.subTest(operation=operation.id, body=body):
                    reply = self.admin.call(operation.method, filled(operation.path), body=body,
                                            type=types[0], headers={"If-Match": '"v1"'})
                    self.assertEqual(reply.status, 400, reply.body)

    def test_json_of_another_shape_is_422(self):
        for operation in CONTRACT.operations:
            types = operation.body_types()
            if not types:
                continue
            for value in ([], "text", 1, None, {"nobody": "knows"}):
                with self.subTest(operation=operation.id, value=value):
                    reply = self.admin.call(
                        operation.method, filled(operation.path), body=json.dumps(value).encode(),
                        type=types[0], headers={"If-Match": '"v1"'})
                    self.assertEqual(reply.status, 422, reply.body)
                    self.assertTrue(reply.value["errors"])

    def test_unknown_parameters_are_400(self):
        for operation in CONTRACT.operations:
            with self.subTest(operation=operation.id):
                types = operation.body_types()
                reply = self.admin.call(operation.method, filled(operation.path) + "?bogus=1",
                                        body=b"{}" if types else None,
                                        type=types[0] if types else None,
                                        headers={"If-Match": '"v1"'})
                self.assertEqual(reply.status, 400, reply.body)
                self.assertIn("?bogus", [e["pointer"] for e in reply.value["errors"]])

    def test_replies_are_not_kept_by_anyone(self):
        reply = self.admin.get("/api/v1/findings")
        self.assertEqual(reply.headers["cache-control"], "no-store")
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")

    def test_the_contract_is_served_as_it_is(self):
        served = self.admin.get("/api/openapi.json").value
        self.assertEqual(served, CONTRACT.document)

    def test_operations_of_the_contract_are_unique(self):
        ids = [o.id for o in CONTRACT.operations]
        self.assertEqual(len(ids), len(set(ids)))

    def raw_bytes(self, data):
        """What comes back in time for bytes that no client library would send. To a part of a
        request nothing does: the server waits for the rest, up to its limit of 30 s."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=2) as connection:
            connection.sendall(data)
            got = b""
            try:
                while piece := connection.recv(65536):
                    got += piece
            except TimeoutError:
                pass
            return got

    def test_requests_that_are_none(self):
        for data in (b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n",
                     b"GET /api/v1/findings HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                     b"POST /api/v1/scores HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{",
                     b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"):
            with self.subTest(data=data[:40]):
                got = self.raw_bytes(data)
                if got:
                    self.assertRegex(got.split(b"\r\n")[0], rb"^HTTP/1\.[01] (4\d\d|505)")
        self.assertEqual(self.admin.get("/healthz").status, 200)

    def test_head_is_get_without_a_body(self):
        reply = self.admin.raw("HEAD", "/api/v1/findings/1")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(reply.headers["etag"], '"v1"')

    def test_gzip_replies(self):
        reply = self.admin.raw("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(reply.headers.get("content-encoding"), "gzip")
        self.assertTrue(gzip.decompress(reply.body).endswith(b"# EOF\n"))

    def test_connections_are_kept(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        for _ in range(3):
            connection.request("GET", "/healthz")
            reply = connection.getresponse()
            reply.read()
            self.assertFalse(reply.will_close)
        connection.close()


if __name__ == "__main__":
    unittest.main()
