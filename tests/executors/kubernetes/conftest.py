"""A target on the cluster, whose jobs are removed after the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kube import Kubernetes
from kube_jobs import Place


@pytest.fixture
async def place(kubernetes: Kubernetes, environment: Path) -> AsyncIterator[Place]:
    place = Place(kubernetes, environment)
    yield place
    await place.clean()


@pytest.fixture
async def place_alone(kubernetes_alone: Kubernetes, environment: Path) -> AsyncIterator[Place]:
    """The same for tests that break the cluster."""
    place = Place(kubernetes_alone, environment)
    yield place
    await asyncio.to_thread(kubernetes_alone.service, "mend")
    await place.clean()
