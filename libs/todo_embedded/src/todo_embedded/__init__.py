"""Real servers for local runs and tests, started without root or containers; never enters an image."""
