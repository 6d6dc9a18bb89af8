"""The text of a statement -> what is to be done with it. Pure.

Read in this order: ``analyse.py`` (the path of one text), ``statements.py`` (the closed list of statements),
``read.py`` with ``fromclause.py``, ``scope.py`` and ``expressions.py`` (names, masks, functions), ``rules.py`` (the
decision), ``carry.py`` (keys in the output), ``companion.py`` with ``core.py``, ``outer.py`` and ``widen.py`` (who took
part), ``catalogq.py`` (queries over the catalog or over nothing).
"""

from seenby.sql.analyse import analyse

__all__ = ["analyse"]
