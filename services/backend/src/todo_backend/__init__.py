"""The backend service: tasks, and every event that tells of them."""
