"""Tests of what is found before a release: judges on pictures, and the whole against an API double."""
