# ruff: noqa: D102 - visitors are named by the node they visit
"""Walks a cell's syntax tree and tells a ``Tracker`` what happens to names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from .bindings import bindings, loads, root
from .flow import FlowVisitor
from .magic_lines import MagicUse, parse_magic
from .scopes import Names, Scope
from .texts import names_in_text

Transform = Callable[[str], str]
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class CellVisitor(FlowVisitor):
    """Sees every node of a cell in the order of execution."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._transform = transform

    def run(self, source: str) -> Names:
        """All names of the cell; raises ``SyntaxError``."""
        self.visit_all(ast.parse(source).body)
        return self.finish()

    # -- bindings -------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.bind(node.id)
        else:
            self.delete(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        self.visit_all(node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self.scopes[-1].kind != "function":
            self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.read(node.target.id)
        self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.note(self.names.imports, alias.name)
            self.bind(alias.asname or alias.name.split(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        self.note(self.names.imports, module)
        for alias in node.names:
            # what a star brings is seen when it is there: the kernel compares before and after
            if alias.name != "*" and module != "__future__":
                self.bind(alias.asname or alias.name)

    # -- scopes ---------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_all(node.decorator_list)
        self._signature(node)
        self.bind(node.name)
        self._function(node, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node)
        self._function(node, [node.body])

    def _signature(self, node: Function) -> None:
        arguments = node.args
        self.visit_all(arguments.defaults)
        self.visit_all(default for default in arguments.kw_defaults if default is not None)
        plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in [*plain, arguments.vararg, arguments.kwarg]:
            if argument is not None and argument.annotation is not None:
                self.visit(argument.annotation)
        if not isinstance(node, ast.Lambda) and node.returns is not None:
            self.visit(node.returns)

    def _function(self, node: Function, body: Iterable[ast.AST]) -> None:
        found = bindings(node)
        scope = Scope("function", sure=found.bound, globals=found.globals)
        with self.inside(scope):
            self.visit_all(body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all([*node.decorator_list, *node.bases, *node.keywords])
        with self.inside(Scope("class", globals=bindings(node).globals)):
            self.visit_all(node.body)
        self.bind(node.name)

    def _comprehension(self, node: Comprehension) -> None:
        # the first iterable belongs to the scope around
        self.visit(node.generators[0].iter)
        with self.inside(Scope("comprehension")) as scope:
            for number, generator in enumerate(node.generators):
                if number:
                    self.visit(generator.iter)
                scope.sure |= set(loads(generator.target, stores=True))
                self.visit_all(generator.ifs)
            if isinstance(node, ast.DictComp):
                self.visit_all([node.key, node.value])
            else:
                self.visit(node.elt)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    # -- calls ----------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        use = _magic_use(node)
        if use is not None:
            self._magic(use)
            return
        for name in names_in_text(node):
            self.read_perhaps(name)
        self.generic_visit(node)

    def _magic(self, use: MagicUse) -> None:
        for expression in use.expressions:
            self._parsed(expression)
        self._parsed(self._transform(use.code))
        for name in use.assigns:
            self.bind(name)

    def _parsed(self, code: str) -> None:
        try:
            body = ast.parse(code).body
        except SyntaxError:
            # not Python after all; the magic itself will say what it thinks of it
            return
        self.visit_all(body)


def _magic_use(node: ast.Call) -> MagicUse | None:
    """What ``get_ipython().run_line_magic("time", "f(x)")`` and its relatives mean."""
    function = node.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call)):
        return None
    if root(function.value.func) != "get_ipython":
        return None
    words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if function.attr in ("system", "getoutput") and len(words) == 1:
        return parse_magic("!", words[0])
    if function.attr == "run_line_magic" and len(words) == 2:
        return parse_magic(*words)
    if function.attr == "run_cell_magic" and len(words) == 3:
        return parse_magic(*words)
    return None
