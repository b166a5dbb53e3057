"""Tests of the release engine; a package so that they share `shop` and `doubles`."""
