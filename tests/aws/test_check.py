"""`pairwatch check aws`: every permission tried once, each refused in turn as the services refuse; what it
says is missing, with the statement that grants it, is what was refused."""
import json
import re
import unittest

from kit import BUCKET, REGION, Lake, subscriber_form

ACCOUNT = "000000000000"
KMS_KEY = f"arn:aws:kms:{REGION}:123456789012:key/0f6b3b0e-5d1b-4f0a-9c59-6a6f6d2f1c11"
GRANT = re.compile(r"grant it: (\{.*\})")


def sqs_denial(action):
    return {"status": 400, "headers": {"Content-Type": "application/x-amz-json-1.0"},
            "body": json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException",
                                "message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/w/s is not authorized to perform: "
                                           f"{action.lower()} because no identity-based policy allows it"})}


def s3_denial(message="Access Denied", code="AccessDenied"):
    return {"status": 403, "body": f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"}


class CheckTest(Lake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.queue, _ = cls.emulator.queue_with_dead_letters("checked", 50)
        cls.queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:checked"

    def setUp(self):
        self.emulator.set(rules=[])
        self.emulator.sqs("PurgeQueue", QueueUrl=self.queue)
        self.emulator.send(self.queue, subscriber_form(*self.objects[0]))

    def check(self, *more, status=0, queue=None, **environment):
        out, err = self.run_program("check", "aws", "--queue", queue or f"sqs:{self.queue}", *more, status=status, **environment)
        return out, err

    def granted(self, out):
        return [json.loads(text) for text in GRANT.findall(out)]

    def refused(self, operation, denial):
        self.emulator.set(rules=[{"operation": operation} | denial])
        return self.check(status=1)[0]

    def test_all_is_well_and_nothing_is_harmed(self):
        out, _ = self.check()
        for line in ("identity", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility",
                     "sqs:DeleteMessage", "s3:GetObject"):
            self.assertRegex(out, f"(?m)^ok +{line} ")
        self.assertNotIn("FAULT", out)
        self.assertEqual(self.emulator.waiting(self.queue), (1, 0))
        self.assertEqual(self.emulator.referee()["refused"], [])

    def test_by_arn(self):
        out, _ = self.check(queue=self.queue_arn)
        self.assertRegex(out, "(?m)^ok +sqs:GetQueueUrl ")

    def test_each_permission_of_the_queue(self):
        for operation, action in (("GetQueueAttributes", "sqs:GetQueueAttributes"), ("ReceiveMessage", "sqs:ReceiveMessage"),
                                  ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
                                  ("DeleteMessageBatch", "sqs:DeleteMessage")):
            with self.subTest(action):
                out = self.refused(f"AmazonSQS.{operation}", sqs_denial(action))
                self.assertEqual(self.granted(out), [{"Effect": "Allow", "Action": action, "Resource": self.queue_arn}])
                self.assertIn("no identity-based policy", out)

    def test_the_object_and_its_key(self):
        out = self.refused("S3.GET", s3_denial())
        self.assertEqual(self.granted(out), [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/aws/*"}])
        out = self.refused("S3.GET", s3_denial(f"User: x is not authorized to perform: kms:Decrypt on resource: {KMS_KEY}"
                                              " because no identity-based policy allows the kms:Decrypt action"))
        self.assertEqual(self.granted(out), [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KMS_KEY}])
        denial = sqs_denial("kms:Decrypt")
        denial["body"] = denial["body"].replace("AccessDeniedException", "KmsAccessDenied")
        out = self.refused("AmazonSQS.ReceiveMessage", denial)
        self.assertEqual([each["Action"] for each in self.granted(out)], ["kms:Decrypt"])

    def test_what_no_statement_grants(self):
        self.emulator.set(rules=[{"operation": "STS.GetCallerIdentity", "status": 403, "body":
                                  "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included"
                                  " in the request is invalid.</Message></Error></ErrorResponse>"}])
        out, _ = self.check(status=1)
        self.assertRegex(out, "(?m)^FAULT +identity .*InvalidClientTokenId")
        self.assertEqual(out.count("\n"), 1)
        self.emulator.set(rules=[])
        bare = self.emulator.queue("bare")
        out, _ = self.check(status=1, queue=f"sqs:{bare}")
        self.assertRegex(out, "(?m)^FAULT +dead letters ")
        self.assertRegex(out, "(?m)^FAULT +s3:GetObject +not tried")
        self.assertEqual(self.granted(out), [])
        out, _ = self.check("--object", f"s3://{BUCKET}/{self.objects[1][0]}", status=1, queue=f"sqs:{bare}")
        self.assertRegex(out, "(?m)^ok +s3:GetObject ")
        out, _ = self.check("--object", f"s3://{BUCKET}/aws/none.parquet", status=1, queue=f"sqs:{bare}")
        self.assertRegex(out, "(?m)^FAULT +s3:GetObject +the object is not there")
        _, err = self.check("--object", "nonsense", status=2)
        self.assertIn("s3://BUCKET/KEY", err)
        _, err = self.run_program("check", "aws", status=2)
        self.assertIn("--queue", err)

    def test_the_endpoint(self):
        denial = {"status": 400, "headers": {"x-amzn-ErrorType": "AccessDeniedException"},
                  "body": json.dumps({"Message": "User: x is not authorized to perform: sagemaker:InvokeEndpoint"})}
        model = {"status": 424, "headers": {"x-amzn-ErrorType": "ModelError"},
                 "body": json.dumps({"OriginalStatusCode": 400, "OriginalMessage": "no", "Message": "Received error (400)"})}
        for rule, status in ((denial, 1), (model, 0)):
            self.emulator.set(rules=[{"operation": "SageMaker.POST"} | rule])
            out, _ = self.check("--scorer", "sagemaker:ip-insights", status=status)
            self.assertEqual(self.granted(out), [{"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource":
                             f"arn:aws:sagemaker:{REGION}:*:endpoint/ip-insights"}] if status else [])


if __name__ == "__main__":
    unittest.main()
