"""Where keys come from: the container's agent, the instance's metadata, STS. Each is a small server
that answers as its documentation says; the referee tells whether the keys it gave were signed with."""
import json
import os
import threading
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kit import KEY_ID, SECRET, Lake, subscriber_form

TOKEN = "FwoGZXIvYXdzEXAMPLE//////token=="
ROLE = "arn:aws:iam::123456789012:role/AmazonSecurityLake-reader"


def keys(**more):
    return {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Expiration": "2099-01-01T00:00:00Z"} | more


class Agent(BaseHTTPRequestHandler):
    """ECS's and EKS's agent, IMDS, and STS."""
    asked = []
    broken = 0  # answers to spoil before a good one

    def answer(self, status, body):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        Agent.asked.append(self.path)
        self.answer(200, "metadata-token" if self.headers.get("x-aws-ec2-metadata-token-ttl-seconds") else "")

    def do_GET(self):
        Agent.asked.append(self.path)
        if Agent.broken:
            Agent.broken -= 1
            return self.answer(500, "busy")
        if self.path == "/agent":
            good = self.headers.get("Authorization") == "agent-token"
            return self.answer(200 if good else 403, keys(Token=TOKEN) if good else {"code": "AccessDenied"})
        if self.headers.get("x-aws-ec2-metadata-token") != "metadata-token":
            return self.answer(401, "")
        if self.path.endswith("/security-credentials/"):
            return self.answer(200, "reader")
        if self.path.endswith("/security-credentials/reader"):
            return self.answer(200, keys(Code="Success", Token=TOKEN))
        return self.answer(404, "")

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        Agent.asked.append(form)
        if Agent.broken:
            Agent.broken -= 1
            return self.answer(503, "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>")
        if form["RoleArn"] != [ROLE]:
            return self.answer(403, "<ErrorResponse><Error><Code>AccessDenied</Code>"
                                    "<Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>")
        return self.answer(200, "<R><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
                                "<SessionToken>%s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
                                "</Credentials></R>" % (KEY_ID, SECRET, TOKEN))

    def log_message(self, *arguments):
        pass


class CredentialsTest(Lake):
    @classmethod
    def setUpClass(cls):
        os.environ["REFEREE_TOKEN"] = TOKEN
        cls.addClassCleanup(os.environ.pop, "REFEREE_TOKEN")
        super().setUpClass()
        cls.agent = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
        cls.addClassCleanup(cls.agent.server_close)
        cls.addClassCleanup(cls.agent.shutdown)
        threading.Thread(target=cls.agent.serve_forever, daemon=True).start()
        cls.agent_url = f"http://127.0.0.1:{cls.agent.server_port}"
        cls.queue = cls.emulator.queue("keys")

    def setUp(self):
        Agent.asked, Agent.broken = [], 0

    def work(self, *more, status=0, **environment):
        own = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent",
               "AWS_ENDPOINT_URL_STS": self.agent_url} | environment
        self.emulator.send(self.queue, subscriber_form(*self.objects[0]))
        _, err = self.run_program("work", "--queue", f"sqs:{self.queue}", "--scorer", "model:m.model", "--once",
                                  "--database", "sqlite:keys.db", *more, status=status, **own)
        self.assertNotIn(SECRET, err)
        self.assertNotIn(TOKEN, err)
        if status == 0:
            self.assertEqual(self.emulator.waiting(self.queue), (0, 0))
        self.assertEqual(self.emulator.referee()["refused"], [])
        return err

    def config(self, text):
        (self.folder / "config").write_text(text)
        return {"AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_PROFILE": "lake"}

    def test_container(self):
        Agent.broken = 2
        (self.folder / "token").write_text("agent-token\n")
        self.work(AWS_CONTAINER_CREDENTIALS_FULL_URI=self.agent_url + "/agent",
                  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(self.folder / "token"))
        self.assertEqual(Agent.asked, ["/agent"] * 3)
        self.work(AWS_CONTAINER_CREDENTIALS_FULL_URI=self.agent_url + "/agent",
                  AWS_CONTAINER_AUTHORIZATION_TOKEN="agent-token")
        err = self.work(status=1, AWS_CONTAINER_CREDENTIALS_FULL_URI=self.agent_url + "/agent",
                        AWS_CONTAINER_AUTHORIZATION_TOKEN="other")
        self.assertIn("the agent answered 403", err)
        for url in ("http://example.com/agent", "http://127.0.0.1@example.com/x", "http://127.evil.example/x", "file:///x"):
            self.assertIn("must be https", self.work(status=1, AWS_CONTAINER_CREDENTIALS_FULL_URI=url))

    def test_instance(self):
        self.work(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=self.agent_url)
        self.assertEqual(Agent.asked, ["/latest/api/token", "/latest/meta-data/iam/security-credentials/",
                                       "/latest/meta-data/iam/security-credentials/reader"])

    def test_web_identity(self):
        Agent.broken = 1
        (self.folder / "jwt").write_text("header.body+/=.signature")
        self.work(AWS_WEB_IDENTITY_TOKEN_FILE=str(self.folder / "jwt"), AWS_ROLE_ARN=ROLE, AWS_ROLE_SESSION_NAME="me")
        self.assertEqual(len(Agent.asked), 2)
        self.assertEqual(Agent.asked[1], {
            "Action": ["AssumeRoleWithWebIdentity"], "Version": ["2011-06-15"], "RoleArn": [ROLE],
            "RoleSessionName": ["me"], "WebIdentityToken": ["header.body+/=.signature"]})

    def test_role_of_a_profile_with_an_external_id(self):
        self.work(**self.config(
            f"[profile lake]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = a b&c\nduration_seconds = 3600\n"
            "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base\n"))
        self.assertEqual(Agent.asked, [{
            "Action": ["AssumeRole"], "Version": ["2011-06-15"], "RoleArn": [ROLE], "RoleSessionName": ["pairwatch"],
            "DurationSeconds": ["3600"], "ExternalId": ["a b&c"]}])

    def test_role_of_a_subscriber_in_another_account(self):
        self.work("--aws-role", ROLE, "--aws-external-id", "given", AWS_ACCESS_KEY_ID="AKIDBASE", AWS_SECRET_ACCESS_KEY="base")
        self.assertEqual([form["ExternalId"] for form in Agent.asked], [["given"]])

    def test_roles_that_cannot_be_had(self):
        source = "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base\n"
        err = self.work(status=1, **self.config(f"[profile lake]\nrole_arn = {ROLE}x\nsource_profile = base\n{source}"))
        self.assertIn("not authorized to perform sts:AssumeRole", err)
        err = self.work(status=1, **self.config(f"[profile lake]\nrole_arn = {ROLE}\n"))
        self.assertIn("neither source_profile nor", err)
        err = self.work(status=1, **self.config(f"[profile lake]\nrole_arn = {ROLE}\nsource_profile = b\n"
                                                f"[profile b]\nrole_arn = {ROLE}\nsource_profile = lake\n"))
        self.assertIn("without end", err)


if __name__ == "__main__":
    unittest.main()
