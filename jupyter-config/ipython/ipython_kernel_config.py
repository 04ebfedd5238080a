"""Loads ``%%remote`` in every kernel of this environment.

Appended, never assigned: what users put into ``extensions`` in their own profile is kept.
"""

c = get_config()  # noqa: F821
c.InteractiveShellApp.extensions.append("jupyter_hybrid")
