"""Wald's sequential probability ratio test: few failures or many, decided as soon as the counts allow it.

A. Wald, Sequential Tests of Statistical Hypotheses, Annals of Mathematical Statistics 16 (1945), 117-186.
Each answer moves a score, the logarithm of a likelihood ratio; the score ends the test at one of two bounds.
Between the bounds there is no decision: too few answers were seen.
"""

import math
from dataclasses import dataclass
from enum import Enum

from todo_release.config.health_watch import FailureRatios


class Decision(Enum):
    """What the answers so far say."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Weights:
    """How far one answer moves the score, and the bounds of the score."""

    failure: float
    success: float
    reject_at: float
    accept_at: float

    @classmethod
    def of(cls, ratios: FailureRatios) -> "Weights":
        """Returns the weights for two ratios and two probabilities of a wrong decision."""
        return cls(
            failure=math.log(ratios.rejected / ratios.accepted),
            success=math.log((1 - ratios.rejected) / (1 - ratios.accepted)),
            reject_at=math.log((1 - ratios.missed) / ratios.false_alarm),
            accept_at=math.log(ratios.missed / (1 - ratios.false_alarm)),
        )

    @property
    def clean_answers(self) -> int:
        """How many answers without a failure are needed to accept."""
        return math.ceil(self.accept_at / self.success)


class SequentialTest:
    """A test that goes on while its version is watched.

    After it has accepted it starts again from zero, so that failures count that begin later. A rejection is
    final.
    """

    def __init__(self, ratios: FailureRatios) -> None:
        """Starts without answers."""
        self.weights = Weights.of(ratios)
        self.score = 0.0
        self.decision: Decision | None = None

    def add(self, answers: float, failures: float) -> Decision | None:
        """Counts answers, of which some are failures, and returns the decision so far.

        The order of answers that are counted together is not known, so only the score after them counts.

        Raises:
            ValueError: the numbers are negative, or there are more failures than answers.
        """
        if not 0 <= failures <= answers:
            raise ValueError(f"{failures} failures of {answers} answers")
        if self.decision is Decision.REJECTED:
            return self.decision
        self.score += failures * self.weights.failure + (answers - failures) * self.weights.success
        if self.score >= self.weights.reject_at:
            self.decision = Decision.REJECTED
        elif self.score <= self.weights.accept_at:
            self.score, self.decision = 0.0, Decision.ACCEPTED
        return self.decision
