"""What every Python service of the application imports; owns no business rule."""
