"""The rules by name."""

from collections.abc import Sequence

from bench.errors import unknown
from bench.rules import models, optimization
from bench.rules.nouns import Rule

RULES: dict[str, Rule] = {rule.name: rule for rule in (*optimization.RULES, *models.RULES)}
FAMILY = sum(len(rule.claims) for rule in RULES.values())  # claims that p-values are adjusted for


def chosen(names: Sequence[str]) -> list[Rule]:
    """The rules of these names, in the catalogue's order; all of them for none.

    Raises:
      UserError: there is no rule of a name.
    """
    for name in names:
        if name not in RULES:
            raise unknown("rule", name, RULES)
    return [rule for rule in RULES.values() if not names or rule.name in names]
