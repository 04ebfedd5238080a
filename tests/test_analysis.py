"""What a cell reads and assigns, by the rules of Python's own scopes."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from jupyter_hybrid.analysis import Names, analyse, reachable


def names(source: str) -> Names:
    transform = TransformerManager().transform_cell
    return analyse(transform(source), transform)


def reads(source: str) -> str:
    return " ".join(n for n in names(source).reads if n not in dir(builtins))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("y = x + 1", "x"),
        ("x = 1; y = x", ""),
        ("x += 1", "x"),
        ("total = total + x", "total x"),
        ("[i * k for i in xs if i > m]", "xs m k"),
        ("[y for x in xs for y in x.ys]", "xs"),
        ("[x for x in x]", "x"),
        ("{k: v for k, v in d.items()}", "d"),
        ("if (n := len(a)) > 1: print(n)", "a"),
        ("[y := f(x) for x in xs]; print(y)", "xs f"),
        ("def f(a, b=c, *args, d: int = e, **kw): return a + g + args[0]\nf(1)", "c e g"),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x += y", "y"),
        ("def f():\n    global n\n    n += 1", "n"),
        ("lambda x, y=z: x + w", "z w"),
        ("class A(Base, metaclass=M):\n    a = 1\n    b = a + q\n    def m(self): return a",
         "Base M q a"),
        ("@deco\ndef f(): pass", "deco"),
        ("@deco(arg)\nclass C: pass", "deco arg"),
        ("for i in xs: s = i\nfor j in js: pass", "xs js"),
        ("with open(p) as f, ctx() as (a, b): f.read(a)", "p ctx"),
        ("try:\n    a = 1\nexcept E as e:\n    print(e)\nelse:\n    print(a)\n", "E"),
        ("try:\n    pass\nexcept Exception as e:\n    pass\nprint(e)", "e"),
        ("match cmd:\n    case [x, *rest]: print(x, rest)\n    case {'k': v, **kw}: print(v, kw)\n"
         "    case Point(x=0) as p: print(p)\n    case Color.RED | other.X: pass",
         "cmd Point Color other"),
        ("f'{a!r:>{width}} {b:.2f}'", "a width b"),
        ("import numpy as np, os.path\nfrom a.b import c as d\nnp, os, d", ""),
        ("from x import *\nprint(y)", "y"),
        ("x: int = 1\ny: Model", "Model"),
        ("a.b.c = 1", "a"),
        ("d[k] = v", "v d k"),
        ("del d[k]", "d k"),
        ("x = 1\ndel x\nprint(x)", "x"),
        ("a, (b, *c) = z\na, b, c", "z"),
        ("await go(x)", "go x"),
        ("async for i in agen: print(i)\nasync with ctx as c: c", "agen ctx"),
        ("def f(): return f() + helper()\ndef helper(): return 1", ""),
        ("if c:\n    x = 1\nelse:\n    x = 2\nprint(x)", "c"),
        ("x if c else y", "c x y"),
        ("x[1:n, ...]", "x n"),
        ("print(*args, **kw)", "args kw"),
        ("!ls {path} $where", "path where"),
        ("y = !cat {f.name}\nprint(y)", "f"),
        ("%time f(x)", "f x"),
        ("%timeit -n 10 -r3 g(x)", "g x"),
        ("%%time\ny = f(x)\ny", "f x"),
        ("%%timeit s = setup\nf(s)", "setup f"),
        ("%%capture out\nprint(q)", "q"),
        ("%%bash --out listing\nls $HOME {x}", ""),
        ("%matplotlib inline", ""),
        ("x?", "x"),
        ("%%time\n%%capture out\nf(x)", "f x"),
        ("a = %sql select {col}", "col"),
    ],
)  # fmt: skip
def test_reads(source: str, expected: str) -> None:
    assert sorted(reads(source).split()) == sorted(expected.split())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if c: x = 1\nprint(x)", "x"),
        ("for i in r: last = i\nprint(last, i)", "last i"),
        ("try:\n    import fast\nexcept ImportError:\n    pass\nfast", "fast"),
        ("try:\n    a = f()\nexcept E:\n    print(a)", "a"),
        ("def f(): return model\ny = f()\nmodel = 1", "model"),
        ("while c: x = 1\nx", "x"),
        ("c and (y := 1)\ny", "y"),
        ("df.query('age > @limit and `a b` in @known')", "limit known"),
        ("def f(limit): return df.query(f'{c} > @limit or x < @other')", "other"),
        ("k = 2\ndf.eval('b = a * @k')", ""),
        ("pd.eval('left + right')", "left right"),
        ("eval('x + 1'); exec('y = z')", "x z"),
        ("print('mail me @home'); db.query('no python'); eval('1 +')", ""),
    ],
)
def test_what_is_read_perhaps(source: str, expected: str) -> None:
    found = names(source)
    assert " ".join(found.maybe) == expected
    assert not set(expected.split()) & set(found.reads)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = y = 1; z: int = 2; u += 1", "x y z u"),
        ("import numpy as np, os.path\nfrom a import b, c as d", "np os b d"),
        ("def f(): inner = 1\nclass A: attr = 1", "f A"),
        ("for i, (j, k) in x: pass\nwith o as (p, q): pass", "i j k p q"),
        ("[t := 1 for s in x]", "t"),
        ("def f():\n    global g\n    g = 1", "f g"),
        ("a.b = 1; c[0] = 2", ""),
        ("from __future__ import annotations", ""),
        ("%%bash --out listing --err=errors\nls", "listing errors"),
        ("%%capture out\ny = 1", "y out"),
        ("f = !ls", "f"),
    ],
)
def test_assigned(source: str, expected: str) -> None:
    assert " ".join(names(source).assigned) == expected


def test_deleted_imports_and_star() -> None:
    found = names("del big\nx = 1\ndel x\nopen('data/a.csv')\nimport a.b\nfrom .c import *")
    assert found.deleted == ["big"]
    assert (found.imports, found.assigned) == (["a.b", ".c"], ["x", "a"])
    assert found.reads == ["open"]


def test_a_cell_that_is_not_python() -> None:
    with pytest.raises(SyntaxError):
        analyse("x = = 1")


def test_reachable() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "import functools\n"
        "a = b = c = d = e = g = h = k = unused = 1\n"
        "def f(): return (lambda: a)() + obj.unused\n"
        "class Base:\n    def base(self): return b\n"
        "class C(Base):\n"
        "    @property\n    def p(self): return c\n"
        "    @staticmethod\n    def s(): return d\n"
        "    def __init__(self, w=lambda: e): pass\n"
        "obj = C()\n"
        "def outer():\n    inner = lambda: g\n    return lambda: inner()\n"
        "closure = outer()\n"
        "part = functools.partial(lambda: h)\n"
        "def loop(): return loop2()\n"
        "def loop2(): return loop() + k\n",
        namespace,
    )
    found = reachable(["f", "closure", "part", "loop", "absent"], namespace)
    assert set(found) == set("f obj a b c d e closure g part h loop loop2 k".split())
