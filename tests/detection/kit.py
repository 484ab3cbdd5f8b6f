"""What the acceptance tests of detection share: the program, and labelled sets beside the project.

The sets are read from ../shared/data beside the checkout, or from PAIRWATCH_REFERENCE_DATA; without them the
tests are skipped. None of them is part of the project."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PAIRWATCH_BINARY", ROOT / "build/release/pairwatch"))
DATA = pathlib.Path(os.environ.get("PAIRWATCH_REFERENCE_DATA", ROOT.parent / "shared/data"))


class Detection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not DATA.is_dir():
            raise unittest.SkipTest(f"there are no labelled sets in {DATA}")
        cls.folder = temp_folder("detection")
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    @classmethod
    def run_program(cls, *arguments, **more):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True,
                              timeout=600, cwd=cls.folder, **more)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stderr[-2000:]}")
        return done.stdout

    @classmethod
    def data(cls, name):
        path = DATA / name
        if not path.exists():
            raise unittest.SkipTest(f"there is no {path}")
        return path

    @classmethod
    def evaluate(cls, model, test, train):
        return json.loads(cls.run_program("evaluate", "--model", model, "--train", train, test))
