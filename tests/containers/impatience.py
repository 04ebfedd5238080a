"""What the tests of registries wait between attempts."""

from __future__ import annotations

from jupyter_hybrid.containers.patience import Patience

#: Attempts as users have them, without the waiting.
QUICK = Patience(first=0.001, longest=0.01)
