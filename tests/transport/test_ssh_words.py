"""ssh's complaints, recorded from OpenSSH 8 to 10, become sentences with a way out."""

from __future__ import annotations

import pytest

from jupyter_hybrid.transport import ssh
from jupyter_hybrid.transport.ssh_words import parse_complaint

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key for dgx has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "words", "transient"),
    [
        (CHANGED, "shows another host key than before", False),
        (
            "No ED25519 host key is known for dgx and you have requested strict checking.\r\n"
            "Host key verification failed.",
            "run 'ssh dgx' in a terminal once",
            False,
        ),
        ("u@dgx: Permission denied (publickey,password).", "without a password or a code", False),
        ("Received disconnect: 2: Too many authentication failures", "ssh-add", False),
        ("ssh: Could not resolve hostname dgx: Name or service not known", "VPN", True),
        ("ssh: connect to host dgx port 22: Connection refused", "it is tried again", True),
        ("ssh: connect to host dgx port 22: Connection timed out", "cannot be reached", True),
        ("Timeout, server dgx not responding.", "cannot be reached", True),
        ("kex_exchange_identification: read: Connection reset by peer", "cannot be", True),
        ("client_loop: send disconnect: Broken pipe", "cannot be reached", True),
        ("/u/.ssh/config: line 3: Bad configuration option: hots", "mend the file", False),
        ("mux_client_request_session: session request failed: Session open refused by peer",
         "no further session", True),
        ("no python3 (jupyter-hybrid)", "has no python3", False),
        ("  File \"<string>\", line 1\n    SyntaxError: invalid syntax", "older than 3.6", False),
        ("This account is currently not available.", "may not log in", False),
        ("Segmentation fault", "did not let us in: Segmentation fault", True),
        ("", "closed without a word", True),
    ],
)  # fmt: skip
def test_complaints(said: str, words: str, transient: bool) -> None:
    sentence, later = parse_complaint(said, "dgx")
    assert words in sentence and later is transient
    assert "{host}" not in sentence and "\n" not in sentence


def test_ciphers_that_processors_have_instructions_for_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssh, "_has_aes", lambda: True)
    theirs = "chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com"
    ours = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr"
    assert ssh.quick_ciphers(f"user ada\nciphers {theirs}\nmacs x\n") == ours
    # what the user has chosen is kept, and what is in this order already
    for kept in (ours, "chacha20-poly1305@openssh.com", "aes256-ctr"):
        assert ssh.quick_ciphers(f"ciphers {kept}\n") == ""
    assert ssh.quick_ciphers("") == ""
    monkeypatch.setattr(ssh, "_has_aes", lambda: False)
    assert ssh.quick_ciphers(f"ciphers {theirs}\n") == ""
