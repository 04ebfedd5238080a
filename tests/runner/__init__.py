"""Tests of the runner, with real kernels."""
