"""The release engine: plans, checks, runs and undoes releases; imports neither invoke nor nox."""
