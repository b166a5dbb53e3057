"""Compares the release engine with the tools that teams use instead: whole commands, measured in turns."""
