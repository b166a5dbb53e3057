"""Explains why an environment is not ready: evidence saved from its namespace, and a summary for people.

May import what `environments` may, `environments.environment` and `environments.rollout`.
Start with `summary` (`inv diagnose`, `inv logs`); `evidence` saves files, `tables` formats them.
"""
