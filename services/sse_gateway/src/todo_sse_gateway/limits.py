"""All limits of the gateway, with the reasons for their values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a gateway process; with a full replay log, 256 MiB hold 6,500 streams of 18 kB."""

    heartbeat_seconds: float = 15.0
    """Interval of the idle comment; nginx and DigitalOcean's load balancer cut a silent stream after 60 s."""

    streams_per_user: int = 32
    """Tabs and devices of a user; more means that a client is reconnecting in a loop."""

    queue_events: int = 512
    """Events that wait for a slow reader; one more ends the stream, and the client resumes."""

    flush_seconds: float = 5.0
    """Time in which the last bytes of an ended stream must be sent."""

    replay_events: int = 256
    """Events kept for a user."""

    replay_seconds: float = 300.0
    """Age up to which an event is kept; an older event that comes from the bus is not passed on."""

    replay_users: int = 20_000
    """Users with a replay log; the log of the user without events for longest is dropped first."""

    replay_bytes: int = 24 * 1024 * 1024
    """Size of the encoded events of all replay logs; with their index they need twice as much memory."""

    retry_milliseconds: tuple[int, int] = (500, 5000)
    """Range of the reconnect delay, which differs so that clients do not all reconnect at once."""

    drain_waves: int = 20
    """Waves in which the streams of a stopping gateway are ended."""

    wave_streams: int = 100
    """Minimum of streams that a wave ends: few streams end at once, many over half of the drain time."""
