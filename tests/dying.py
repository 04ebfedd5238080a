"""Moments at which a process that submits or fetches dies, as source that makes it do so."""

from __future__ import annotations

#: Begins every program below: ``die`` is kill -9, ``dying`` a function that does it at a moment.
PREAMBLE = """
import os, signal, sys
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
def dying(function, when=lambda *args: True, after=False):
    def patched(*args, **kwargs):
        if not after and when(*args):
            die()
        result = function(*args, **kwargs)
        if after and when(*args):
            die()
        return result
    return patched
def named(name):
    return lambda path, *rest: path.name == name
from jupyter_hybrid import bundle, files, results
from jupyter_hybrid.executors import local
from jupyter_hybrid.store import Store
"""
#: What the process dies of, in the order in which a submit does it; before a process exists …
BEFORE_THE_START = {
    "the record is stored": "Store.add = dying(Store.add, after=True)",
    "half of the directory": "bundle._write = dying(bundle._write, named('notebook.ipynb'))",
    "no spec yet": "bundle._write = dying(bundle._write, named('spec.json'))",
    "a directory and no process": "local.LocalExecutor._spawn = die",
}
#: … and from then on.
AFTER_THE_START = {
    "started and not recorded": "local.write_record = die",
    "recorded at the place only": "local.write_record = dying(local.write_record, after=True)",
    "half of the handle": "Store.save = dying(Store.save, lambda s, j: 'pid' in (j.handle or {}))",
    "the handle": "Store.save = dying(Store.save, lambda s, j: 'pid' in (j.handle or {}), True)",
}
#: … and while what the job made is brought here.
FETCHES = {
    "before the notebook": "results.executed_notebook = die",
    "half of the notebook": "results._write = die",
    "half of a file": "import shutil\nreal = shutil.copyfileobj\n"
    "def half(source, target, *rest):\n    target.write(source.read(1000)); target.flush(); die()\n"
    "results.shutil.copyfileobj = half",
    "before it is recorded": "from jupyter_hybrid.keeping import Keeper\nKeeper.note_fetch = die",
}
