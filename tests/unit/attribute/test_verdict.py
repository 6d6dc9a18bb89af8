"""What a statistic is answered with: figures, names, or a refusal; under a grant for statistics alone and for both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.attribute.cohorts import Cohort, Groups, Memory, Row
from seenby.attribute.verdict import Verdict, verdict
from seenby.model.statistic import BUCKETS, MAX_GROUPS, Level
from tests.unit.attribute.test_cohorts import GROUPS, LEAST, TOGETHER, cohort, groups, rows

MANY, FEW = cohort(range(100)), cohort(range(9))
FILTERED = (GROUPS, replace(GROUPS, chosen=1), replace(TOGETHER, between=(0, 1)))


def found(*answered: list[Row], levels: tuple[Level, ...] = (GROUPS,)) -> Groups:
    return groups(*answered, levels=levels)


ENOUGH = found(rows(1, MANY))
SMALL = found(rows(1, MANY), rows(2, FEW))
ALONE = found(rows(1, FEW), levels=(replace(GROUPS, lone=True),))
HEAVY = found(rows(1, MANY), [Row(0, 1, 1, BUCKETS, 0, 34, 100)])
TOO_MANY = found(rows(1, MANY), rows(MAX_GROUPS + 1, MANY))
NEAR = found(rows(1, MANY), rows(1, cohort(range(99)), level=1), rows(1, cohort([99]), level=2), levels=FILTERED)


def of(asked: Groups, *earlier: Cohort, naming: bool) -> Verdict:
    memory = Memory()
    memory.add(earlier)
    return verdict(asked, list(asked.cohorts()), memory, LEAST, naming=naming)


@pytest.mark.parametrize(
    ("asked", "alone"),
    [
        (SMALL, Verdict.FIGURES),  # small groups are left out
        (ALONE, Verdict.FEW),
        (HEAVY, Verdict.HEAVY),
        (TOO_MANY, Verdict.MANY),
        (NEAR, Verdict.NEAR),
    ],
)
def test_where_rows_may_be_shown_everybody_is_named_instead(asked: Groups, alone: Verdict) -> None:
    assert of(asked, naming=False) is alone
    assert of(asked, naming=True) is Verdict.NAMED


@pytest.mark.parametrize("naming", [True, False])
def test_figures_about_enough_people_name_nobody(*, naming: bool) -> None:
    assert of(ENOUGH, naming=naming) is Verdict.FIGURES
    assert of(ENOUGH, cohort(range(50)), replace(cohort(range(60)), named=True), naming=naming) is Verdict.FIGURES


@pytest.mark.parametrize("asked", [ENOUGH, SMALL, HEAVY, TOO_MANY, NEAR])
@pytest.mark.parametrize("earlier", [cohort(range(98)), cohort(range(102))])
def test_names_do_not_help_whoever_stands_behind_an_earlier_figure_without(asked: Groups, earlier: Cohort) -> None:
    """Whichever has somebody more: which one that is cannot be seen."""
    assert of(asked, earlier, naming=True) is Verdict.CLOSE


def test_what_was_told_with_names_is_no_figure_without() -> None:
    """Both are named then. Under a grant for statistics alone they cannot be."""
    earlier = replace(cohort(range(99)), named=True)
    assert of(ENOUGH, earlier, naming=True) is Verdict.NAMED
    assert of(ENOUGH, earlier, naming=False) is Verdict.CLOSE
    assert of(ENOUGH, replace(MANY, named=True), naming=True) is Verdict.FIGURES, "the same people: no difference"
    assert of(ENOUGH, earlier, cohort(range(98)), naming=True) is Verdict.CLOSE, "there is another"
    assert of(ENOUGH, earlier, cohort(range(99)), naming=True) is Verdict.CLOSE, "also of the same people"
