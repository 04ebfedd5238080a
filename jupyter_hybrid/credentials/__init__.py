"""Secrets, which are names until the moment of use."""

from .keys import job_key
from .registries import Login, registry_login

__all__ = ["Login", "job_key", "registry_login"]
