"""Every bound of the gateway in one place, with the reason for its value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one gateway process allows; with a full replay log 256 MiB hold 6,500 streams at 18 kB each."""

    heartbeat_seconds: float = 15.0
    """Interval of the idle comment; nginx and DigitalOcean's load balancer cut what is silent for 60 s."""

    streams_per_user: int = 32
    """Tabs and devices of one person; beyond it a client is reconnecting in a loop."""

    queue_events: int = 512
    """Events that wait for a reader that does not take them; more ends the stream and the client resumes."""

    flush_seconds: float = 5.0
    """How long an ended stream may take to hand its last bytes to the reader."""

    replay_events: int = 256
    """Events kept for each user, at most."""

    replay_seconds: float = 300.0
    """Age up to which an event is kept; one that comes from the bus older than that is history, not news."""

    replay_users: int = 20_000
    """Users with a replay log; the one that was quiet for longest is forgotten first."""

    replay_bytes: int = 24 * 1024 * 1024
    """Encoded events of all replay logs together; twice that in memory with what orders them."""

    retry_milliseconds: tuple[int, int] = (500, 5000)
    """Range of the reconnect delay that a client is given, so that clients do not all return at once."""

    drain_waves: int = 20
    """Steps in which the streams of a stopping gateway are ended."""

    wave_streams: int = 100
    """Streams that a wave ends at least: few streams end at once, many over half of the drain budget."""
