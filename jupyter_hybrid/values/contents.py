"""Whether a variable's content is still what it was: a digest, for which nothing large is copied.

This module travels into containers: Python 3.8, standard library; cloudpickle where it is used.
"""

from __future__ import annotations

import hashlib
from typing import Any, Dict, Mapping, Optional

from .files import buffer_digest
from .mappings import address


def content_digest(
    value: Any, namespace: Dict[str, Any], known: Optional[Mapping[int, str]] = None
) -> Optional[str]:
    """The digest of a value's pickle; None where it does not pickle.

    ``namespace`` is the globals of the functions in it. ``known`` has what stands for the contents
    of some buffers, by address. Digests of one process are comparable, and only those.
    """
    from .pickling import Pickler

    digest = hashlib.sha256()

    class Sink:
        def write(self, data: Any) -> int:
            digest.update(data)
            return len(data)

    def add(buffer: Any) -> bool:
        view = buffer.raw()
        found = known.get(address(view)) if known else None
        digest.update((found or buffer_digest(view)).encode())
        return False

    pickler: Any = Pickler(Sink(), namespace, buffer_callback=add, digesting=True)
    try:
        pickler.dump(value)
    # pickling calls methods of any class there is
    except Exception:  # noqa: BLE001
        return None
    return digest.hexdigest()
