"""The notification service: decides from events what a user is told, keeps it, and says so on the bus."""
