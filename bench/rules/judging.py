"""From results to findings: the numbers and the verdict of each claim. Pure: records in, findings out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.records import Record
from bench.rules import verdicts
from bench.rules.measures import LogSteps, Measure
from bench.rules.nouns import Claim, Experiment, Rule
from bench.stats import LEVEL, Array

Records = Mapping[str, Sequence[Record]]  # of an experiment, by arm


@dataclass(frozen=True)
class Finding:
    """What came of one claim.

    Attributes:
      values: {arm: (R,)} the measure of each replicate, NaN where it is missing.
      differences: (R,), positive where they go the rule's way.
      p, p_equal: Holm-adjusted over all claims of the catalogue.
      power: of the named effect with the standard deviation that was observed, at the strictest level of Holm's.
      planned: the same with the pilot's.
      smallest: difference that is shown with a power of 80 %, on the scale of differences.
      missed: {arm: share of final runs that never reach the target}, where there is one.
    """

    rule: Rule
    experiment: Experiment
    claim: Claim
    values: Mapping[str, Array]
    differences: Array
    estimate: verdicts.Estimate
    p: float
    p_equal: float
    verdict: str
    power: float
    planned: float
    smallest: float
    missed: Mapping[str, float]


def values(measure: Measure, records: Sequence[Record], replicates: int) -> Array:
    """(replicates,) the measure of each record at its replicate's place, NaN elsewhere."""
    found = np.full(replicates, np.nan)
    for record in records:
        if record.meta["replicate"] < replicates:
            found[record.meta["replicate"]] = measure(record)
    return found


def differences(claim: Claim, of: Mapping[str, Array]) -> Array:
    """(R,) by how much the favoured arm is better, less what it is elsewhere if the claim is of that."""
    gain = claim.measure.sign * (of[claim.better] - of[claim.worse])
    if claim.beside is None:
        return gain
    better, worse = claim.beside
    return gain - claim.measure.sign * (of[better] - of[worse])


def findings(rules: Sequence[Rule], results: Mapping[tuple[str, str], Records], family: int) -> list[Finding]:
    """One for each claim, in the order of the entries.

    Args:
      results: by (rule, experiment).
      family: how many claims p-values are adjusted for: all of the catalogue, whichever are looked at.
    """
    judged = []
    for rule in rules:
        for experiment, claim in rule.claims:
            records, r = results[rule.name, experiment.name], experiment.replicates
            of = {arm: values(claim.measure, records.get(arm, ()), r) for arm in experiment.arms}
            gains = differences(claim, of)
            judged.append(
                (rule, experiment, claim, of, gains, verdicts.estimate(gains, claim.threshold), _missed(claim, records))
            )
    p, p_equal = verdicts.adjusted([one[5] for one in judged], family)
    return [_finding(one, float(p[i]), float(p_equal[i]), LEVEL / max(family, 1)) for i, one in enumerate(judged)]


_Judged = tuple[Rule, Experiment, Claim, Mapping[str, Array], Array, verdicts.Estimate, Mapping[str, float]]


def _finding(one: _Judged, p: float, p_equal: float, level: float) -> Finding:
    rule, experiment, claim, of, gains, found, missed = one
    effect, replicates = claim.threshold, found.replicates
    return Finding(
        rule=rule,
        experiment=experiment,
        claim=claim,
        values=of,
        differences=gains,
        estimate=found,
        p=p,
        p_equal=p_equal,
        verdict=verdicts.verdict(found, p, p_equal, effect),
        power=verdicts.power(effect, found.sd, replicates, level),
        planned=verdicts.power(effect, claim.pilot, experiment.replicates, level),
        smallest=verdicts.smallest(found.sd, replicates, level),
        missed=missed,
    )


def curves(records: Records) -> dict[str, tuple[Array, Array]]:
    """Of each arm the points (P,) and the training losses (runs, P) of the final runs of the setting that training loss
    chose."""
    return {
        arm: (own[0].arrays["step"], np.concatenate([record.final("train", "train/loss") for record in own]))
        for arm, own in records.items()
        if own
    }


def _missed(claim: Claim, records: Records) -> dict[str, float]:
    measure = claim.measure
    if not isinstance(measure, LogSteps):
        return {}
    times = {arm: [measure.times(record) for record in records.get(arm, ())] for arm in claim.arms}
    return {arm: float(np.isinf(np.concatenate(of)).mean()) for arm, of in times.items() if of}
