"""Fixtures of all tests."""

#: ``needs`` markers, and the list of what could not run.
pytest_plugins = ["pytester", "requirements"]
