"""What Kubernetes' restricted Pod Security Standard wants of a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: (Kubernetes, "Pod Security Standards"), beside a user who is not root.
RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
