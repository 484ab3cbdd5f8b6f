"""The contract as a judge: every reply is held against api/openapi.yaml by python3-jsonschema.

A reply must have a status the operation lists (or its `default`), a content type that status
lists, and a body that its schema accepts. Times must be RFC 3339 in UTC with milliseconds.
"""
import json
import re
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "put", "post", "delete", "patch")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


@FORMATS.checks("int64")
def is_int64(value):
    return not isinstance(value, int) or -(2**63) <= value < 2**63


class Operation:
    def __init__(self, method, path, item):
        self.method = method.upper()
        self.path = path
        self.id = item["operationId"]
        self.role = item["x-role"]
        self.body_max = item.get("x-body-bytes-max", 0)
        self.item = item
        pattern = re.sub(r"\{[a-z]+\}", "[^/]+", path)
        self.pattern = re.compile(pattern)

    def body_types(self):
        return list(self.item.get("requestBody", {}).get("content", {}))


class Contract:
    def __init__(self, path=ROOT / "api" / "openapi.yaml"):
        self.document = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.operations = [
            Operation(method, template, item[method])
            for template, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        ]
        self.by_id = {operation.id: operation for operation in self.operations}
        self.validators = {}

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def at(self, path):
        """The operations of a request's path: of the template with the fewest parameters."""
        path = path.split("?")[0]
        fits = [o for o in self.operations if o.pattern.fullmatch(path)]
        least = min((o.path.count("{") for o in fits), default=0)
        return [o for o in fits if o.path.count("{") == least]

    def find(self, method, path):
        """The operation of a request, None when there is none."""
        return next((o for o in self.at(path) if o.method == method), None)

    def methods_of(self, path):
        return sorted({o.method for o in self.at(path)})

    def validator(self, key, schema):
        if key not in self.validators:
            whole = {"allOf": [schema], "components": self.document["components"]}
            self.validators[key] = jsonschema.Draft202012Validator(whole, format_checker=FORMATS)
        return self.validators[key]

    def check_schema(self, name, value):
        schema = {"$ref": f"#/components/schemas/{name}"}
        self._validate(("schema", name), schema, value)

    def _validate(self, key, schema, value):
        faults = sorted(self.validator(key, schema).iter_errors(value), key=lambda e: list(e.path))
        if faults:
            where = "/".join(str(part) for part in faults[0].absolute_path)
            raise AssertionError(f"{key} at /{where}: {faults[0].message[:400]}")

    def check_problem(self, status, content_type, body):
        assert content_type.split(";")[0] == "application/problem+json", (
            f"an error of type {content_type!r}: {body[:200]!r}"
        )
        problem = json.loads(body)
        self.check_schema("Problem", problem)
        assert problem["status"] == status, f"status {status} says {problem['status']}"
        return problem

    def check_reply(self, method, path, status, content_type, body):
        """Raises AssertionError when the contract does not allow this reply."""
        operation = self.find(method, path)
        if operation is None:
            if status < 400:
                return None  # a file of the dashboard
            return self.check_problem(status, content_type, body)
        responses = operation.item["responses"]
        response = responses.get(str(status), responses["default"] if status >= 400 else None)
        assert response is not None, f"{operation.id} does not list {status}"
        content = self.resolve(response).get("content")
        if not content:
            assert body == b"", f"{operation.id} {status} has a body: {body[:200]!r}"
            return None
        media = content_type.split(";")[0]
        assert media in content, f"{operation.id} {status} is {content_type!r}"
        if media == "application/problem+json":
            return self.check_problem(status, content_type, body)
        if not media.endswith("json"):
            return body.decode("utf-8")
        value = json.loads(body)
        self._validate((operation.id, status, media), content[media]["schema"], value)
        return value
