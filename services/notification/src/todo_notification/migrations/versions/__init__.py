"""Revisions of the schema `notification`, oldest first; a released one is never edited."""
