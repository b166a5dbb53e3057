"""The sse-gateway service."""
