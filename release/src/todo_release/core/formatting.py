"""Times for people to read."""


def ago(seconds: float) -> str:
    """Returns how long ago something was: just now, 5 minutes ago, 3 hours ago, 4 days ago."""
    minutes = seconds / 60
    if minutes < 60:
        return f"{minutes:.0f} minutes ago" if minutes >= 2 else "just now"
    hours = minutes / 60
    return f"{hours:.0f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"


def duration(seconds: float) -> str:
    """Returns a duration: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
