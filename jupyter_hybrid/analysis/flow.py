# ruff: noqa: D102 - visitors are named by the node they visit
"""Branches, loops and handlers: what is bound in them is bound perhaps."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from .scopes import Tracker


class FlowVisitor(Tracker, ast.NodeVisitor):
    """Visits the statements that decide what runs, in the order of execution."""

    def visit_all(self, body: Iterable[ast.AST]) -> None:
        """Visit one node after another."""
        for node in body:
            self.visit(node)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.alternatives(lambda: self.visit_all(node.body), lambda: self.visit_all(node.orelse))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self.alternatives(lambda: self.visit(node.body), lambda: self.visit(node.orelse))

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        with self.branch():
            self.visit_all(node.values[1:])

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        with self.branch():
            self.visit_all(node.body)
        with self.branch():
            self.visit_all(node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        with self.branch():
            self.visit(node.target)
            self.visit_all(node.body)
        with self.branch():
            self.visit_all(node.orelse)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self.visit_For(node)

    def visit_Try(self, node: ast.Try) -> None:
        def tried() -> None:
            self.visit_all(node.body)
            self.visit_all(node.orelse)
            # what the body bound before it failed is bound perhaps
            self.scopes[-1].perhaps |= self.scopes[-1].sure

        def handled(handler: ast.ExceptHandler) -> Callable[[], None]:
            return lambda: self.visit(handler)

        self.alternatives(tried, *(handled(handler) for handler in node.handlers))
        self.visit_all(node.finalbody)

    def visit_TryStar(self, node: ast.Try) -> None:
        self.visit_Try(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self.scopes[-1].sure.add(node.name)
        self.visit_all(node.body)
        if node.name is not None:
            self.unbind(node.name)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        for case in node.cases:
            with self.branch():
                self.visit(case)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name is not None:
            self.bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self.bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest is not None:
            self.bind(node.rest)
