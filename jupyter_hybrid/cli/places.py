"""``targets``, ``offers`` and ``doctor``."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import Any

from ..documents import offer_document
from ..executors.base import Offer
from ..units import format_duration
from .requests import resources_of
from .terminal import Terminal


def targets(options: Namespace, terminal: Terminal) -> int:
    """List the places where jobs can run, as they are configured."""
    from ..config import load_config

    config = load_config()
    rows: list[dict[str, Any]] = []
    for name in sorted(config.target_options()):
        target = config.target(name)
        rows.append(
            {
                "name": name,
                "executor": target.executor,
                "default": name == config.default_target,
                "root": str(target.root),
                "price": target.options.get("price"),
            }
        )
    if options.json:
        terminal.document(rows)
        return 0
    table = [
        (row["name"], row["executor"], "default" if row["default"] else "", row["root"])
        for row in rows
    ]
    terminal.table(("TARGET", "EXECUTOR", "", "ROOT"), table)
    return 0


def offers(options: Namespace, terminal: Terminal) -> int:
    """List the hardware that targets can give now."""
    from ..manager import Manager

    manager = Manager.default()
    found = asyncio.run(_offers(manager, options))
    if options.json:
        terminal.document([offer_document(offer) for offer in found])
    elif not found:
        terminal.say("no target offers that now; 'jupyter hybrid doctor' looks for the reason")
    else:
        terminal.table(("TARGET", "HARDWARE", "WAIT", "PRICE", ""), map(_row, found))
    return 0 if found else 1


async def _offers(manager: Any, options: Namespace) -> list[Offer]:
    resources = resources_of(options)
    if options.target is None:
        return list(await manager.offers(resources))
    return list(await manager.executor(options.target).offers(resources))


def _row(offer: Offer) -> tuple[str, ...]:
    wait = "" if offer.wait is None else format_duration(offer.wait)
    if offer.free_now:
        wait = "none"
    price = "" if offer.price is None else f"{offer.price:g}/h"
    return offer.target, offer.hardware, wait, price, offer.note


def doctor(options: Namespace, terminal: Terminal) -> int:
    """Check this installation; each finding says what to do."""
    from ..doctor import examine

    findings = asyncio.run(examine())
    failed = [finding for finding in findings if not finding.ok]
    if options.json:
        terminal.document([finding.to_json() for finding in findings])
        return 1 if failed else 0
    for finding in findings:
        mark = terminal.paint("✔", "green", out=True) if finding.ok else (
            terminal.paint("✘", "red", out=True)
        )  # fmt: skip
        terminal.write(terminal.plain(f"{mark} {finding.name}: {finding.text}\n"))
        if finding.remedy:
            terminal.write(terminal.plain(f"    → {finding.remedy}\n"))
    return 1 if failed else 0
