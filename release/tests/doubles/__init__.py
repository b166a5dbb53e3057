"""Tests of what the engine does to clusters, registries and container engines."""
