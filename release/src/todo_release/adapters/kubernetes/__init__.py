"""The Kubernetes API: connections, and objects read as frozen values.

Imports `errors`, `core` and `adapters.http`. Start with `client` for requests, with `objects` for live pods
and workloads, with `manifest` for rendered charts; `api_resources` is the one table of API paths.
"""
