"""Which connection is shared, with an ssh that lets nobody in without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.transport.ssh import SSHTransport

#: Fixed text; it stands in for OpenSSH. Beside it are the user's socket and a list of what it did.
SSH = """\
#!/bin/sh
# test fixture: a site with one-time passwords
here=$(dirname "$0")
for word; do
  case $word in
    -G) echo "controlpath $here/theirs"; exit 0 ;;
    -oControlPath=$here/theirs) [ -e "$here/theirs" ] && in=yes ;;
  esac
  last=$word
done
[ "$in" ] && exec sh -c "$last"
echo "ada@dgx: Permission denied (keyboard-interactive)." >&2
exit 255
"""


@pytest.fixture
def transport(tmp_path: Path) -> SSHTransport:
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    return SSHTransport("dgx", str(tmp_path / "there"), program=[str(tmp_path / "ssh")])


async def test_a_connection_that_the_user_opens_after_a_refusal_is_used(
    transport: SSHTransport, tmp_path: Path
) -> None:
    with pytest.raises(PlaceError, match="ControlMaster"):
        await transport.run(["true"])
    (tmp_path / "theirs").touch()
    assert (await transport.run(["echo", "in"])).stdout == b"in\n"
    # it is closed in the evening, and opened the next morning
    (tmp_path / "theirs").unlink()
    transport.close()
    with pytest.raises(PlaceError, match="ControlMaster"):
        await transport.run(["true"])
    (tmp_path / "theirs").touch()
    assert (await transport.run(["echo", "in"])).stdout == b"in\n"
    transport.close()
