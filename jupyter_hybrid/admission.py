"""Before a job begins: what the site lets leave, and an image that has what the notebook needs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import replacing
from .paths import blob_directory, blob_path

if TYPE_CHECKING:
    from .bundle import Bundle
    from .checks import Finding
    from .config import Hybrid
    from .environment.needs import Environment
    from .executors.base import Executor, Prepared
    from .request import Request
    from .spec import JobSpec

#: Rules that need nothing of the image: they are asked before it is brought here.
_FIRST = ("secrets", "images")


async def admit(
    executor: Executor,
    spec: JobSpec,
    bundle: Bundle,
    config: Hybrid,
    request: Request | None = None,
) -> tuple[Bundle, tuple[str, ...]]:
    """The bundle with what its image needs, and what the user should know; idempotent.

    Without a request (a rerun) the bundle says what the notebook needs. Raises ``BundleError`` with
    all that must not leave, ``ImageError`` for an image that may not be used, is not there, or
    lacks what cannot be added to it.
    """
    image = executor.image(spec)
    if image and config.allowed_images:
        # (the catalogue's module brings the client of registries along)
        from .containers.ngc import check_allowed
        from .containers.references import parse_reference

        check_allowed(parse_reference(image), config.allowed_images)
    findings = await findings_of(
        config, lambda rule: rule in _FIRST, _subject(image, bundle, config)
    )
    if not image or not executor.adds_packages:
        return bundle, _sentences(findings)
    if request is not None:
        bundle = replace(bundle, environment=await asyncio.to_thread(environment_of, request))
    else:
        bundle = replace(bundle, environment=await asyncio.to_thread(needs_of, spec, bundle))
    prepared = await executor.prepare(spec, bundle.environment)
    added = {"packages": prepared.packages, "licences": prepared.licences}
    findings += await findings_of(config, lambda rule: rule not in _FIRST, added, prepared)
    return bundle, (*prepared.notes, *_sentences(findings))


async def findings_of(
    config: Hybrid,
    asked: Callable[[str], bool],
    about: Mapping[str, Any],
    prepared: Prepared | None = None,
) -> list[Finding]:
    """What these of the site's rules find; raises ``BundleError`` where one refuses."""
    rules = {name: rule for name, rule in config.checks.items() if asked(name)}
    if not rules:
        return []
    from .checks import Subject, check, refuse

    findings = await asyncio.to_thread(check, Subject(**about), rules, advisories(config))
    if prepared is not None:
        await asyncio.to_thread(keep_findings, config, prepared, findings)
    refuse(findings)
    return findings


def _subject(image: str, bundle: Bundle, config: Hybrid) -> dict[str, Any]:
    if not config.checks:
        return {}
    blobs = blob_directory(config.home)
    files = [(entry.path, blob_path(blobs, entry.digest)) for entry in bundle.files]
    return {"image": image, "notebook": json.loads(bundle.notebook), "files": files}


def environment_of(request: Request) -> Environment:
    """What the code of the request needs of other people's packages."""
    from .capture.packages import job_environment

    beside = request.notebook_path.parent if request.notebook_path else None
    return job_environment(
        request.code,
        request.directory,
        language=request.language,
        loaded=request.loaded,
        declared=beside,
    )


def needs_of(spec: JobSpec, bundle: Bundle) -> Environment:
    """What a notebook needed when it was sent; looked for now where it ran in no image then."""
    if bundle.environment is not None:
        return bundle.environment
    from .capture.packages import job_environment

    cells = json.loads(bundle.notebook).get("cells") or ()
    code = ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
    folder = Path(spec.notebook_path).parent if spec.notebook_path else Path.cwd()
    return job_environment(code, folder, language=spec.language)


def _sentences(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(finding.text for finding in findings)


def advisories(config: Hybrid) -> Path:
    """Where indexes of lists of vulnerabilities are kept."""
    return config.home / "images" / "advisories"


def keep_findings(config: Hybrid, prepared: Prepared, findings: Sequence[Finding]) -> None:
    """Write down what was found about an image and its packages, beside what is known of it."""
    digest = prepared.digest.rpartition(":")[2]
    path = config.home / "images" / "checks" / f"{digest}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record: Mapping[str, Any] = {
        "image": prepared.image,
        "time": time.time(),
        "packages": dict(prepared.packages),
        "findings": [finding.to_json() for finding in findings],
    }
    with replacing(path) as file:
        file.write(json.dumps(record).encode())
