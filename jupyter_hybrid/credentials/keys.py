"""The user's secret, and what is derived from it."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from ..errors import StoreError

FILE_NAME = "secret"
_SIZE = 32


def job_key(directory: Path, job_id: str) -> bytes:
    """The key (32 bytes) with which the job's runner vouches for what it sends back.

    Derived from the user's secret in ``directory``, which is made at the first call (0600), so it
    need not be kept. HMAC-SHA-256 (RFC 2104) of the job's id.
    """
    return hmac.digest(_secret(directory / FILE_NAME), job_id.encode("ascii"), "sha256")


def _secret(path: Path) -> bytes:
    if path.parent.is_dir() and path.parent.stat().st_mode & 0o022:
        # whoever can replace the secret can have anything unpickled here
        raise StoreError(
            f"others may write to {path.parent}, and so could speak for your jobs; "
            f"run 'chmod go-w {path.parent}'"
        )
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = _make(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); it must be yours") from error
    if len(secret) != _SIZE:
        raise StoreError(f"{path} is damaged; remove it (jobs that are under way lose their key)")
    return secret


def _make(path: Path) -> bytes:
    scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_SIZE))
        try:
            # of several processes at once one wins, and all read what it wrote
            os.link(scratch, path)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{path} cannot be made ({error.strerror}); "
            "set JUPYTER_HYBRID_DIR to a directory of yours"
        ) from error
