"""Judges a deployed version by the metrics of its pods: answers, durations, restarts, alerts.

`sequential_test` and `judge` decide and read nothing; `pod_metrics`, `prometheus` and `reader` read; `watch`
repeats both until there is a verdict.
"""
