"""server/tools/openapi_json.awk reads its part of YAML as python3-yaml does, and refuses the rest."""
import json
import os
import subprocess
import unittest

import yaml

from contract import ROOT

GOOD = """\
# a comment
a: 1
b: -2.5
c: true
d: 'it''s: "quoted" #1'
e: plain text, with - signs and 3.1.0
f: [x, 'y, z', 3, null]
g: []
h: |
  two lines,
    the second indented

  and one more
'200':
  - one
  - k: v
    deep:
      - [a, b]
  - 'q'
$ref: '#/x'
/path/{id}: yes it is
version: 3.1.0
back: 'a\\b'
"""
BAD = ["a: &x 1", "a: *x", "a: >\n  folded", 'a: "double"', "a: {b: 1}", "a:\tb", "a: b: c",
       "a: 1\na: 2", "a:\n   b: 1", "a:\n  b: 1\n    c: 2", "a: [b", "a: [b,, c]", "a: [[b]]",
       "a: 'open", "a: yes", "a: 1e5", "a: b # comment", "- a\nb: c", "a:", "just text", ""]


def convert(text):
    return subprocess.run(
        ["awk", "-f", str(ROOT / "server" / "tools" / "openapi_json.awk")], input=text,
        capture_output=True, text=True, timeout=20, env={**os.environ, "LC_ALL": "C"})


class OpenapiJson(unittest.TestCase):
    def test_the_contract(self):
        text = (ROOT / "api" / "openapi.yaml").read_text(encoding="utf-8")
        done = convert(text)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), yaml.safe_load(text))
        self.assertEqual(list(json.loads(done.stdout)["paths"]), list(yaml.safe_load(text)["paths"]))

    def test_its_part_of_yaml(self):
        done = convert(GOOD)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), yaml.safe_load(GOOD))

    def test_the_rest_is_refused(self):
        for text in BAD:
            with self.subTest(text=text):
                done = convert(text + "\n")
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
