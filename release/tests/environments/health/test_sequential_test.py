"""The sequential test decides as its two probabilities promise, and not before it can."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todo_release.config.health_watch import FailureRatios
from todo_release.environments.health.sequential_test import Decision, SequentialTest, Weights

RATIOS = FailureRatios()  # 0.5 % and 5 %, wrong in 1 % and 5 % of cases
TRIALS = 4000
LONGEST_TRIAL = 5000
ratios = st.builds(
    FailureRatios,
    accepted=st.floats(0.0005, 0.05),
    rejected=st.floats(0.06, 0.5),
    false_alarm=st.floats(0.001, 0.2),
    missed=st.floats(0.001, 0.2),
)
answers = st.lists(st.booleans(), max_size=300)


def decide(*counts: tuple[int, int]) -> Decision | None:
    """Returns the decision after (answers, failures), each added at once."""
    test = SequentialTest(RATIOS)
    for answered, failed in counts:
        test.add(answered, failed)
    return test.decision


def test_weights_are_those_of_the_defaults() -> None:
    """A failure counts 2.30, another answer -0.0463; the bounds are 4.55 and -2.99."""
    weights = Weights.of(RATIOS)
    assert weights.failure == pytest.approx(2.3026, abs=1e-4)
    assert weights.success == pytest.approx(-0.0463, abs=1e-4)
    assert weights.reject_at == pytest.approx(4.55, abs=0.01)
    assert weights.accept_at == pytest.approx(-2.99, abs=0.01)
    assert weights.clean_answers == 65


@pytest.mark.parametrize(
    ("answered", "failed", "decision"),
    [
        (64, 0, None),
        (65, 0, Decision.ACCEPTED),
        (1, 1, None),
        (3, 2, Decision.REJECTED),
        (4, 2, None),
        (53, 3, Decision.REJECTED),
        (54, 3, None),
        (104, 4, Decision.REJECTED),
        (0, 0, None),
    ],
)
def test_decision_needs_so_many_answers(answered: int, failed: int, decision: Decision | None) -> None:
    """65 clean answers accept; 2 failures in 3, 3 in 53 and 4 in 104 reject."""
    assert decide((answered, failed)) is decision


@pytest.mark.parametrize(
    ("true_ratio", "rejected", "tolerance"),
    [(0.001, 0.0, 0.001), (0.005, 0.005, 0.005), (0.02, 0.37, 0.03), (0.05, 0.95, 0.015), (0.5, 1.0, 0.0)],
)
def test_simulated_versions_are_taken_back_as_often_as_promised(
    true_ratio: float, rejected: float, tolerance: float
) -> None:
    """Of versions that fail 0.1 % of requests none is taken back, of those that fail 5 % some 95 %."""
    decisions = [simulate(true_ratio, seed) for seed in range(TRIALS)]
    share = sum(decision is Decision.REJECTED for decision, _ in decisions) / TRIALS
    assert share == pytest.approx(rejected, abs=tolerance)
    assert all(decision is not None for decision, _ in decisions)


def test_simulated_rejections_need_few_answers() -> None:
    """At 5 % a decision needs some 71 answers on average, at 50 % some 5."""
    for true_ratio, expected, tolerance in ((0.05, 71, 6), (0.5, 4.5, 0.7)):
        counts = [count for _, count in (simulate(true_ratio, seed) for seed in range(TRIALS))]
        assert sum(counts) / TRIALS == pytest.approx(expected, abs=tolerance)


def simulate(true_ratio: float, seed: int) -> tuple[Decision | None, int]:
    """Returns the first decision on a version that fails so often, and after how many answers it came."""
    source = random.Random(seed)  # noqa: S311  # a fixed seed is what a test needs
    test = SequentialTest(RATIOS)
    for count in range(1, LONGEST_TRIAL):
        if test.add(1, int(source.random() < true_ratio)):
            return test.decision, count
    return None, LONGEST_TRIAL


@given(ratios, answers)
def test_acceptance_only_follows_answers_that_did_not_fail(settings: FailureRatios, seen: list[bool]) -> None:
    """A version of which every answer failed is never accepted; one without a failure is never rejected."""
    test = SequentialTest(settings)
    for is_failed in seen:
        test.add(1, int(is_failed))
    if all(seen):
        assert test.decision is not Decision.ACCEPTED
    if not any(seen):
        assert test.decision is not Decision.REJECTED


@given(ratios, answers, answers)
def test_rejection_is_final(settings: FailureRatios, seen: list[bool], more: list[bool]) -> None:
    """No later answer changes a rejection."""
    test = SequentialTest(settings)
    for is_failed in seen:
        test.add(1, int(is_failed))
    was_rejected = test.decision is Decision.REJECTED
    for is_failed in more:
        test.add(1, int(is_failed))
    assert not was_rejected or test.decision is Decision.REJECTED


@given(ratios, st.integers(0, 10_000))
def test_failures_after_any_clean_traffic_reject_as_soon_as_without_it(
    settings: FailureRatios, clean: int
) -> None:
    """An accepted version starts again from zero: a million good answers do not hide that it fails now."""
    test, needed = SequentialTest(settings), Weights.of(settings)
    for _ in range(min(clean, 400)):
        test.add(1, 0)
    longest = (needed.reject_at - needed.accept_at) / needed.failure + 1
    count = 0
    while test.add(1, 1) is not Decision.REJECTED:
        count += 1
        assert count <= longest


@pytest.mark.parametrize(("answered", "failed"), [(1, 2), (-1, 0), (1, -1)])
def test_counts_that_cannot_be_are_refused(answered: float, failed: float) -> None:
    """There are never more failures than answers, nor fewer than none."""
    with pytest.raises(ValueError, match="failures of"):
        SequentialTest(RATIOS).add(answered, failed)


def test_ratios_must_be_in_order() -> None:
    """The accepted ratio is the lower one."""
    with pytest.raises(ValueError, match="must be lower than"):
        FailureRatios(accepted=0.1, rejected=0.05)
