"""Folders of a test's own that are gone when its program ends, also after a test that failed."""
import atexit
import shutil
import tempfile
from pathlib import Path


def temp_folder(name):
    """A new folder, /tmp/pairwatch-NAME-…; whoever is done with it earlier may remove it."""
    folder = Path(tempfile.mkdtemp(prefix=f"pairwatch-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
