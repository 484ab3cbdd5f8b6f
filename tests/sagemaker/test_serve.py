"""serve --sagemaker: the contract of an inference container, in every documented form."""
import concurrent.futures
import gzip
import json
import re
import socket
import unittest

import kit
from kit import Container, csv, rows, run

PAIRS = [("host-3", "10.3.0.1"), ("host-4", "10.99.0.1"), ("nobody", "192.0.2.1"), ("host-1", "2001:db8:1::7")]
CSV = csv(PAIRS)
JSON = json.dumps({"instances": [
    {"data": {"features": {"values": list(PAIRS[0])}}}, {"features": list(PAIRS[1])},
    {"features": {"values": list(PAIRS[2])}}, {"data": {"features": list(PAIRS[3])}}]})
LINES = "".join(json.dumps(instance) + "\n" for instance in json.loads(JSON)["instances"])
FORMS = {"text/csv": CSV, "application/json": JSON, "application/jsonlines": LINES}


def setUpModule():
    kit.set_up()


def tearDownModule():
    kit.tear_down()


class Serving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.container = Container("--model", kit.MODEL).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.container.__exit__()

    def predictions(self, *arguments, **more):
        reply = self.container.invoke(*arguments, **more)
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)["predictions"]

    def test_ping_is_empty(self):
        reply = self.container.call("GET", "/ping")
        self.assertEqual((reply.status, reply.body), (200, b""))

    def test_execution_parameters(self):
        reply = self.container.call("GET", "/execution-parameters")
        self.assertEqual(json.loads(reply.body), {
            "MaxConcurrentTransforms": 4, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6})

    def test_every_form_in_gives_the_same(self):
        bodies = {self.container.invoke(body, type).body for type, body in FORMS.items()}
        bodies.add(self.container.invoke(CSV.replace(",", ", ").replace("\n", "\r\n"),
                                         "text/csv; charset=utf-8").body)
        self.assertEqual(len(bodies), 1)

    def test_both_forms_out_byte_by_byte(self):
        """As Python prints them, which is what SageMaker's container is written in."""
        values = self.predictions(CSV)
        self.assertEqual([list(value) for value in values], [["dot_product"]] * 4)
        for accept in (None, "application/json", "*/*"):
            reply = self.container.invoke(CSV, accept=accept)
            self.assertEqual(reply.getheader("content-type"), "application/json")
            self.assertEqual(reply.body.decode(), json.dumps({"predictions": values}))
        reply = self.container.invoke(CSV, accept="application/jsonlines")
        self.assertEqual(reply.getheader("content-type"), "application/jsonlines")
        self.assertEqual(reply.body.decode(), "".join(json.dumps(value) + "\n" for value in values))

    def test_verbose_forms(self):
        plain = self.predictions(CSV)
        for accept in ("application/json;verbose=True", "application/json; verbose=True"):
            values = self.predictions(JSON, "application/json", accept=accept)
            body = self.container.invoke(CSV, accept=accept).body.decode()
            self.assertEqual(body, json.dumps({"predictions": values}))
        lines = self.container.invoke(CSV, accept="application/jsonlines;verbose=true").body.decode()
        self.assertEqual([json.loads(line) for line in lines.splitlines()], values)
        for value, one in zip(values, plain):
            self.assertEqual(list(value), ["dot_product", "ip_embedding", "entity_embedding"])
            self.assertEqual((len(value["ip_embedding"]), len(value["entity_embedding"])), (12, 12))
            self.assertEqual(value["dot_product"], one["dot_product"])
            inner = sum(a * b for a, b in zip(value["ip_embedding"], value["entity_embedding"]))
            self.assertAlmostEqual(inner, value["dot_product"], places=4)

    def test_the_usual_is_higher_than_the_unusual(self):
        values = [value["dot_product"] for value in self.predictions(CSV)]
        self.assertGreater(values[0], values[1])

    def test_the_batch_transform_gives_the_same(self):
        done = run("score", "--model", kit.MODEL, input=CSV.encode(), check=0)
        self.assertEqual(done.stdout, self.container.invoke(CSV, accept="application/jsonlines").body)

    def test_many_rows_come_in_pieces_and_in_order(self):
        pairs = list(rows(60000))
        body = csv(pairs)
        reply = self.container.invoke(body)
        self.assertIsNone(reply.getheader("content-length"))
        values = json.loads(reply.body)["predictions"]
        self.assertEqual(len(values), len(pairs))
        few = self.predictions(csv(pairs[-20:]))
        self.assertEqual(values[-20:], few)
        verbose = self.container.invoke(csv(pairs[:20000]), accept="application/jsonlines;verbose=true")
        lines = verbose.body.decode().splitlines()
        self.assertEqual([json.loads(line)["dot_product"] for line in lines],
                         [value["dot_product"] for value in values[:20000]])

    def test_many_callers_at_once(self):
        """Each gets its own rows, and /ping is answered between them."""
        bodies = [csv(list(rows(3000))[i::8]) for i in range(8)]
        wanted = [self.container.invoke(body).body for body in bodies]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            pings = [pool.submit(self.container.call, "GET", "/ping") for _ in range(16)]
            got = list(pool.map(lambda i: self.container.invoke(bodies[i % 8]).body, range(64)))
        self.assertEqual(got, wanted * 8)
        self.assertEqual({ping.result().status for ping in pings}, {200})

    def test_a_body_in_gzip(self):
        reply = self.container.call("POST", "/invocations", gzip.compress(CSV.encode()),
                                    Content_Type="text/csv", Content_Encoding="gzip")
        self.assertEqual(reply.body, self.container.invoke(CSV).body)

    def test_bad_rows_name_row_and_column(self):
        for type, body, sentence in (
                ("text/csv", CSV + "a,1.2.3.4,5\n", "row 5, column 11: more than two fields: entity,ip"),
                ("text/csv", 'a,"1.1.1.1, 2.2.2.2"\n', "row 1, column 3: this is a list of addresses, "
                                                       "as in X-Forwarded-For, not one"),
                ("application/json", '{"instances":[{"features":["a","1.2.3.4"]},{"features":["a","::1%e"]}]}',
                 "row 2: an IPv6 address with a zone means something on one machine only"),
                ("application/jsonlines", LINES + "{}\n", "row 5, column 1: an instance must be"),
                ("text/csv", "", "there is no row in the body"),
                ("text/csv", "entity,ip\na,1.2.3.4\n", "row 1, column 8: this is not an IP address")):
            reply = self.container.invoke(body, type)
            self.assertEqual(reply.status, 400)
            self.assertEqual(reply.getheader("content-type"), "text/plain; charset=utf-8")
            self.assertTrue(reply.body.decode().startswith(sentence), reply.body)
            reply = self.container.invoke(body, type, path="/endpoints/any/invocations")
            self.assertEqual((reply.status, reply.getheader("x-amzn-errortype")), (424, "ModelError"))
            value = json.loads(reply.body)
            self.assertEqual(value["OriginalStatusCode"], 400)
            self.assertTrue(value["OriginalMessage"].startswith(sentence))
            self.assertIn(value["OriginalMessage"], value["Message"])

    def test_the_documentations_malformed_lines_are_refused(self):
        reply = self.container.invoke('{"features": ["entity_id_1", "192.168.1.2"]},\n'
                                      '{"features": ["entity_id_2", "10.10.1.2"]}]}\n', "application/jsonlines")
        self.assertEqual(reply.status, 400)
        self.assertIn(b"row 1, column 1: not JSON", reply.body)

    def test_no_instances_give_no_predictions(self):
        self.assertEqual(self.container.invoke('{"instances": []}', "application/json").body,
                         b'{"predictions": []}')

    def test_other_types_are_refused(self):
        for type in ("application/x-recordio-protobuf", "text/plain", None):
            self.assertEqual(self.container.invoke(CSV, type).status, 415, type)
        self.assertEqual(self.container.invoke(CSV, accept="text/csv").status, 406)

    def test_other_paths_and_methods_are_refused(self):
        for path in ("/", "/index.html", "/api/v1/findings", "/healthz", "/endpoints/a/b/invocations"):
            self.assertEqual(self.container.call("GET", path).status, 404, path)
        self.assertEqual(self.container.call("GET", "/invocations").getheader("allow"), "POST, OPTIONS")
        self.assertEqual(self.container.call("POST", "/ping").status, 405)

    def test_six_megabytes_and_no_more(self):
        row = "host-1,10.1.0.1\n"
        body = (row * (6291456 // len(row))).ljust(6291456, "\n")
        reply = self.container.invoke(body, accept="application/jsonlines")
        self.assertEqual((reply.status, reply.body.count(b"\n")), (200, 6291456 // len(row)))
        # Refused by its length, before it is sent.
        reply = self.container.call("POST", "/invocations", None, Content_Type="text/csv", Content_Length="6291457")
        self.assertEqual(reply.status, 413)
        self.assertEqual(self.container.call("POST", "/invocations", gzip.compress((body + "\n").encode()),
                                             Content_Type="text/csv", Content_Encoding="gzip").status, 413)


class Starting(unittest.TestCase):
    def test_the_model_of_the_folder_and_a_larger_body(self):
        folder = kit.FOLDER / "ml" / "model"
        folder.mkdir(parents=True)
        (folder / "pairwatch.model").write_bytes(kit.MODEL.read_bytes())
        with Container("--sagemaker-dir", kit.FOLDER / "ml", "--body-bytes-max", "8MiB", "--threads", "2") as container:
            parameters = json.loads(container.call("GET", "/execution-parameters").body)
            self.assertEqual((parameters["MaxConcurrentTransforms"], parameters["MaxPayloadInMB"]), (2, 8))
            self.assertEqual(container.invoke(CSV.ljust(7 << 20, "\n")).status, 200)
        self.assertEqual(container.code, 0)
        self.assertLess(container.seconds, 30)

    def test_as_sagemaker_starts_it(self):
        """The image's only argument is `serve`; what else it needs is in its environment."""
        environment = {"PAIRWATCH_SAGEMAKER": "true", "PAIRWATCH_SAGEMAKER_DIR": str(kit.FOLDER / "none")}
        done = run("serve", environment=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"none/model/pairwatch.model", done.stderr)

    def test_every_address_and_port_8080_unless_told(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("0.0.0.0", 8080))
                taken.listen()
            except OSError:
                pass  # somebody else has it: it is in use either way
            done = run("serve", "--sagemaker", "--model", kit.MODEL)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), re.escape("0.0.0.0:8080: the port is in use"))

    def test_a_model_of_several_specs_is_refused(self):
        run("simulate", "--entities", 20, "--days", 2, "--seed", 3, "--out", "lake", check=0)
        run("train", "--out", "several.model", "lake", check=0)
        done = run("serve", "--sagemaker", "--model", "several.model", "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"pair specs apart", done.stderr)


if __name__ == "__main__":
    unittest.main()
