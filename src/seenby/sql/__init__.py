"""The text of a statement -> what is to be done with it. Pure.

Read in this order: ``analyse.py`` (the path of one text), ``statements.py`` (the closed list of statements),
``read.py`` with ``withclause.py``, ``fromclause.py``, ``series.py``, ``conditions.py``, ``selectlist.py``, ``scope.py``
and ``expressions.py`` (names, masks, functions), ``linkage.py`` with ``whose.py`` (who is compared with whom),
``rules.py`` (the decision), ``carry.py`` (keys in the output), ``outer.py`` and ``gather.py`` (when these name
everybody), ``companion.py`` with ``influence.py``, ``ranges.py``, ``extremes.py`` with ``sure.py``, ``nulled.py``,
``first.py``, ``usable.py``, ``pieces.py`` and ``capture.py`` (who took part), ``examined.py`` (who was looked up),
``catalogq.py`` (queries over the catalog or over nothing). Statistics: ``statistics.py`` (which SELECTs make figures)
with ``sources.py``, ``arguments.py``, ``own.py``, ``singled.py``, ``groupsets.py``, ``harmless.py`` and ``weights.py``,
``cohort.py`` (what runs instead), ``noisy.py`` (what noise is added to). EXPLAIN: ``explain.py`` (what is asked),
``explained.py`` (what of a plan is shown), ``explain_forms.py`` (how it is written).
"""

from seenby.sql.analyse import analyse
from seenby.sql.linkage import allowed as linking_allowed

__all__ = ["analyse", "linking_allowed"]
