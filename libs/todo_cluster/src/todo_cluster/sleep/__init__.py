"""`inv staging.sleep` and `inv staging.wake`: an environment without pods, which keeps everything else.

The engine's `adapters.kubernetes.sleep` does the scaling, and a release wakes the environment by itself. The
same at fixed times is k8s/cluster-bootstrap/staging-sleep.yaml.
"""
