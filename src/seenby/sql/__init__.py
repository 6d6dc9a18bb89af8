"""The text of a statement -> what is to be done with it. Pure.

Read in this order: ``analyse.py`` (the path of one text), ``statements.py`` (the closed list of statements),
``read.py`` with ``scope.py`` and ``expressions.py`` (names, masks, functions), ``rules.py`` (the decision),
``carry.py``, ``outer.py`` and ``companion.py`` (the rewriting), ``catalogq.py`` (queries over the catalog).
"""

from seenby.sql.analyse import analyse

__all__ = ["analyse"]
