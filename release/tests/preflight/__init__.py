"""Tests of preflight: checks on snapshots, and whole inspections against an API double."""
