"""Creates the tables."""
