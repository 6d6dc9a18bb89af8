"""What becomes of a statistic once it is known who stands behind it.

A grant for statistics alone shows figures or refuses. One for both may name everybody instead, as for rows. That is
enough wherever the people whom the answer tells about are among those who are named, and not where an earlier figure,
behind which nobody was named, has somebody whom this answer has not::

    earlier   150 people, nobody named        together they tell about Mr X, whom neither names: refused
    now       149 of them, all named

    earlier   149 people, all named           Mr X is among the 150: all of them are named now
    now       150 people

So cohorts are remembered with whether their people were named.
"""

from __future__ import annotations

from enum import Enum

from seenby.attribute.cohorts import Cohort, Groups, Memory


class Verdict(Enum):
    """FIGURES and NAMED are answers; the others say why there is none."""

    FIGURES = "figures are shown, and nobody is named"
    NAMED = "it is answered as rows are"
    NEAR = "two figures of it differ by few people"
    CLOSE = "it and an earlier statistic do"
    MANY = "it has too many groups"
    HEAVY = "somebody has too many of the rows"
    FEW = "few people stand behind it"


def verdict(groups: Groups, cohorts: list[Cohort], memory: Memory, least: int, *, naming: bool) -> Verdict:
    """What a statistic is answered with.

    Args:
        groups: what the cohort query answered.
        cohorts: all of ``groups``; also the small ones, if they are shown.
        memory: earlier ones.
        least: people that each figure needs.
        naming: the grant gives rows too, and no group is left out.
    """
    if naming:
        if memory.close(cohorts, least, known=lambda _, other: other.named):
            return Verdict.CLOSE
        none = not groups.all_large or groups.too_many or groups.heavy or groups.near or memory.close(cohorts, least)
        return Verdict.NAMED if none else Verdict.FIGURES
    if not groups.complete:
        return Verdict.MANY if groups.too_many else Verdict.FEW
    if groups.near:
        return Verdict.NEAR
    if memory.close(cohorts, least):
        return Verdict.CLOSE
    if groups.too_many:
        return Verdict.MANY
    return Verdict.HEAVY if groups.heavy else Verdict.FIGURES
