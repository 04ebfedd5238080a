"""What was chosen last: one small file per notebook, so that no choice waits for another."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import StoreError, UsageError
from ..files import replacing

FOLDER = "preferences"
#: Bytes of one choice.
LARGEST = 64 * 1024


class Preferences:
    """JSON objects by key, which is any text. The last one put wins; readers see it whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / FOLDER

    def get(self, key: str) -> dict[str, Any] | None:
        """What was put last; None where nothing was, or where it cannot be read."""
        try:
            value = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return value["value"] if isinstance(value, dict) and value.get("key") == key else None

    def put(self, key: str, value: dict[str, Any] | None) -> None:
        """Keep the value in place of the one before; None forgets it. Raises ``StoreError``."""
        path = self._path(key)
        content = json.dumps({"key": key, "value": value}).encode("ascii")
        if len(content) > LARGEST:
            raise UsageError(
                f"preferences of {len(content)} bytes are too large; {LARGEST} are kept at most"
            )
        try:
            if value is None:
                path.unlink(missing_ok=True)
                return
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(path, 0o600) as file:
                file.write(content)
        except OSError as error:
            raise StoreError(
                f"preferences cannot be kept in {self._directory}: {error.strerror or error}"
            ) from error

    def _path(self, key: str) -> Path:
        return self._directory / f"{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}.json"
