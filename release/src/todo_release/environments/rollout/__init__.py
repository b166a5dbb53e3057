"""Watches a rollout until it is ready or has failed, and names the cause of a failure.

May import what `environments` may, and of `environments` only itself. Start with `watcher`;
`failure_detection` and `pod_failures` decide what a snapshot means, `causes` is the table of causes with exit
codes and remedies.
"""
