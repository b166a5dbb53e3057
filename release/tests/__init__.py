"""Tests of the release engine. It is a package so that the tests share `shop` and `doubles`."""
