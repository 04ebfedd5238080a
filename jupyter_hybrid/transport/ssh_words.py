"""What ssh complains of, in a sentence with the way out."""

from __future__ import annotations

import re

#: What is said (a regular expression), whether it may go by itself, what happened, what to do.
#: ``{host}`` is the target's host as ssh was given it. The first that matches counts.
_KNOWN = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed",
        False,
        "{host} shows another host key than before: it was set up anew, or somebody is in between",
        "ask its administrators; if the new key is right, 'ssh-keygen -R {host}' forgets the old",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        False,
        "the host key of {host} is not known yet, and only a person can say that it is right",
        "run 'ssh {host}' in a terminal once, compare the key and accept it",
    ),
    (
        r"Permission denied|Too many authentication failures|No more authentication methods",
        False,
        "{host} lets nobody in without a password or a code, and none is ever asked for here",
        "run 'ssh {host}' in a terminal: set up a key (ssh-copy-id), unlock it (ssh-add), or leave "
        "a connection open that can be shared (ControlMaster in ~/.ssh/config)",
    ),
    (
        r"Could not resolve hostname",
        True,
        "the name {host} is not known on this network",
        "check the name, or the connection to the site's network (VPN)",
    ),
    (
        r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad configuration",
        False,
        "ssh does not accept its configuration",
        "mend the file that it names",
    ),
    (
        r"no python3 \(jupyter-hybrid\)|python3: (?:command )?not found",
        False,
        "{host} has no python3 (3.6 or newer), which this side speaks with",
        "load one in the shell's start files, or name one: remote_python = '/path/to/python3'",
    ),
    (
        r"SyntaxError|No module named|Unknown option: -I",
        False,
        "the python3 of {host} is older than 3.6",
        "name a newer one: remote_python = '/path/to/python3'",
    ),
    (
        r"This account is currently not available|nologin",
        False,
        "the account on {host} may not log in",
        "ask its administrators",
    ),
    (
        r"open failed|Session open refused|administratively prohibited",
        True,
        "{host} opens no further session on the connection that is there",
        "close other connections to it, or try again",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Connection refused|Connection reset"
        r"|closed by|Broken pipe|banner exchange|not responding|kex_exchange"
        r"|Connection to \S+ closed",
        True,
        "{host} cannot be reached",
        "check the network (VPN); it is tried again",
    ),
)  # fmt: skip


def parse_complaint(text: str, host: str) -> tuple[str, bool]:
    """The sentence, and whether the same may work later. ``text`` is what ssh wrote at its end."""
    for pattern, transient, what, remedy in _KNOWN:
        if re.search(pattern, text):
            line = _line(text, pattern)
            said = f" (ssh: {line})" if line else ""
            return f"{what}{said}; {remedy}".replace("{host}", host), transient
    said = _last(text)
    if said:
        return f"{host} did not let us in: {said}; 'ssh {host}' in a terminal shows more", True
    return f"the connection to {host} was closed without a word; it is tried again", True


def _line(text: str, pattern: str) -> str:
    for line in text.splitlines():
        if re.search(pattern, line):
            return line.strip(" @\r")[:200]
    return ""


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
