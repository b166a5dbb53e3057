"""Writes the report of the last hour."""
