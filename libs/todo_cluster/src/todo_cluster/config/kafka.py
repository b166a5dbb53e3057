"""Settings of the topics that the application needs on its broker, the same for every environment."""

from typing import Annotated

from pydantic import Field, StringConstraints

from todo_release.config.base import Model

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class TopicSettings(Model):
    """One topic; its name in an environment begins with that environment's prefix in the chart's values."""

    partitions: int = Field(ge=1, description="How many consumers of a group can share it; it can only grow.")
    retention_hours: float = Field(gt=0, description="How long an event can be read again.")


class KafkaSettings(Model):
    """What must be on the broker before the application starts."""

    replication_factor: int = Field(
        default=3, ge=1, description="On how many brokers each partition is; a topic keeps the number it has."
    )
    has_access_lists: bool = Field(
        default=True,
        alias="access_lists",
        description="Give the environment's account rights to its topics and consumer groups. False where "
        "the broker has no authorizer.",
    )
    topics: dict[TopicName, TopicSettings] = Field(default_factory=dict)
