"""A notebook's classes travel, and are the same ones when their instances come home."""

from __future__ import annotations

import copy
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from two_processes import round_trip

from jupyter_hybrid.values.contents import content_digest

CLASSES = """\
import dataclasses, enum, abc, collections
scale = 2
class Base(abc.ABC):
    @abc.abstractmethod
    def go(self): ...
class Net(Base):
    count = 0
    def __init__(self): super().__init__(); self.w = 1
    def go(self): return self.w * scale
    @property
    def double(self): return 2 * self.w
    @classmethod
    def make(cls): return cls()
@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
class Color(enum.Enum):
    RED = 1
    BLUE = 2
Pair = collections.namedtuple("Pair", "a b")
net, point, color, pair = Net(), Point(1), Color.RED, Pair(1, 2)
old = Net, Point, Color, Pair, Net.go
"""


def test_classes_keep_their_identity(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        CLASSES,
        ["net", "point", "color", "pair"],
        """
        assert net.go() == 2 and net.double == 2
        net.w = 5
        type(net).count = 7
        nets = [net, type(net).make()]
        points = {type(point)(3): 1}
        red = color
        pairs = [pair, type(pair)(3, 4)]
        """,
        ["nets", "points", "red", "pairs"],
        """
        assert (Net, Point, Color, Pair, Net.go) == old
        assert all(isinstance(n, Net) for n in nets) and nets[0].go() == 10
        assert Net.count == 7, Net.count
        assert points == {Point(3): 1}
        assert red is Color.RED
        assert all(type(p) is Pair for p in pairs)
        """,
    )


def test_what_a_class_holds_comes_home_with_it(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        """
        import enum
        class U:
            seen, same, rate = [], {}, 1
            def go(self, cache={}): super().__init__(); cache[1] = 1; return cache
        class Perm(enum.Flag):
            R = 1
            W = 2
        class Bare:
            def go(self): pass
        bare, u, perm, same = Bare(), U(), Perm.R, U.same
        """,
        ["u", "perm", "bare"],
        """
        from jupyter_hybrid.values.definitions import changes, look_inside
        look_inside(main)
        U = type(u)
        import copy
        copy.copy(u), U.__annotations__  # of which Python keeps something in the class
        assert changes(U, main) == {}
        perm | type(perm).W
        assert changes(type(perm), main) == {}
        U.go(u)
        assert changes(U, main) == {"go": U.go}
        U.seen.append(1)
        U.rate = 2
        bare.go.__func__.calls = 1
        assert list(changes(type(bare), main)) == ["go"]
        """,
        ["u", "bare"],
        """
        assert type(u) is U and (U.seen, U.rate, U.go(u)) == ([1], 2, {1: 1}) and U.same is same
        assert type(bare) is Bare and Bare.go.calls == 1
        """,
    )


def test_using_a_definition_does_not_change_what_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package, part = types.ModuleType("package"), types.ModuleType("package.part")
    package.__package__ = "package"
    monkeypatch.setitem(sys.modules, "package", package)
    namespace: dict[str, Any] = {"__name__": "__main__", "package": package}
    source = "class U:\n    def go(self): return package.part\nu, f = U(), lambda: package.part"
    exec(source, namespace)
    U, u, f = (namespace[name] for name in ("U", "u", "f"))
    before = [content_digest(value, namespace) for value in (U, f, u)]
    # as it is when the function imports it
    monkeypatch.setitem(sys.modules, "package.part", part)
    copy.copy(u), U.__annotations__
    assert [content_digest(value, namespace) for value in (U, f, u)] == before
    u.x = U.y = 1
    changed = [content_digest(value, namespace) for value in (U, f, u)]
    assert [a == b for a, b in zip(before, changed, strict=True)] == [False, True, False]


SLOTS = """
class Plain:
    __slots__ = ("a", "b", "__private", "__weakref__")
    def __init__(self): self.a, self.__private = 1, 2
    def private(self): return self.__private
class Mixed(Plain):
    __slots__ = ("__dict__",)
class Single:
    __slots__ = "only"
plain, mixed, single = Plain(), Mixed(), Single()
mixed.more, single.only = 3, 4
old = Plain, Mixed, Single
"""


def test_instances_with_slots_come_back(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        SLOTS,
        ["plain", "mixed", "single"],
        """
        assert not hasattr(plain, "__dict__") and not hasattr(single, "__dict__")
        plain.b, mixed.b, mixed.more, single.only = 5, 6, 7, 8
        made = [type(plain)(), mixed]
        """,
        ["plain", "mixed", "single", "made"],
        """
        assert (type(plain), type(mixed), type(single)) == old
        assert (plain.a, plain.b, plain.private(), mixed.b, mixed.more) == (1, 5, 2, 6, 7)
        assert single.only == 8 and type(made[0]) is Plain and made[1] is mixed
        """,
    )


def test_a_redefined_class_is_another_class(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        "class A:\n    v = 1\na = A()\nold = A",
        ["A", "a"],
        "class A:\n    v = 2\nb = A()",
        ["A", "a", "b"],
        "assert A is not old and type(a) is old and a.v == 1 and type(b) is A and b.v == 2",
    )
