"""Tests of the embedded control plane; a package so that they share `room`."""
