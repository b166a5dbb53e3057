"""Revisions of the schema `todo`, oldest first; a released one is never edited."""
