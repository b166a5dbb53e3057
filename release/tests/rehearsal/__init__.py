"""Tests of a rehearsal and its parts, with real git, a real registry and a real control plane."""
