"""podman of a user who is not root: jobs run, and all that they write belongs to that user."""

from __future__ import annotations

import bases
import pytest
import somebody
from somebody import User

pytestmark = [
    pytest.mark.needs(*bases.NEEDS, *somebody.NEEDS, "apt:uidmap"),
    pytest.mark.timeout(300),
]


def test_a_job_runs_by_rootless_podman_and_its_files_are_the_user_s(somebody: User) -> None:
    changes = [word for line in bases.CONFIG["ngc"] for word in ("--change", line)]
    # (in the namespace of its own that podman works in nobody may read what is root's)
    with bases.tar_of("ngc").open("rb") as tar:
        somebody.run("podman", "import", "--quiet", *changes, "-", "localhost/ngc:1", stdin=tar)
    somebody.hello("podman", "localhost/ngc:1")
