"""The fan-out core: event encoding, replay, streams and their registry. It knows neither Dapr nor FastAPI."""
