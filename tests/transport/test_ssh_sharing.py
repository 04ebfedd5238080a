"""Which connection is shared, with an ssh that lets nobody in without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_hybrid import transport as transport_module
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


#: Fixed text; it stands in for OpenSSH where nobody comes in over the shared connection.
SLOW = """\
#!/bin/sh
# test fixture: a login node that takes its time
here=$(dirname "$0")
while [ $# -gt 1 ]; do
  case $1 in
    -G) exit 0 ;;
    -O) echo "$2" >> "$here/asked"; [ -e "$here/alive" ]; exit ;;
    -oControlPath=none) alone=yes ;;
  esac
  shift
done
[ "$alone" ] || grep -qsx exit "$here/asked" || exec sleep 60
exec sh -c "$1"
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


@pytest.mark.parametrize("alive", [True, False])
async def test_a_connection_that_others_are_on_is_ended_only_where_it_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    monkeypatch.setattr(transport_module, "CONNECT", 6.0)
    (tmp_path / "ssh").write_text(SLOW)
    (tmp_path / "ssh").chmod(0o755)
    if alive:
        (tmp_path / "alive").touch()
    transport = SSHTransport("dgx", str(tmp_path / "there"), program=[str(tmp_path / "ssh")])
    assert (await transport.run(["echo", "in"])).stdout == b"in\n"
    asked = (tmp_path / "asked").read_text().split()
    assert asked == (["check"] if alive else ["check", "exit"])
    transport.close()
