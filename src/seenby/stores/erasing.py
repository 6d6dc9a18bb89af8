"""People between the entry that says their key is erased and the moment when the key is gone.

That entry is the last one of a key (docs/formats/entries.md), so nothing else may be written about these people
meanwhile, and nothing of the key may stay in memory afterwards. It takes milliseconds in a database, a second in a file
of a million people; whoever asks for their data is told to try again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seenby.errors import Unavailable
from seenby.model.disclosure import PeopleEvent, QueryDisclosure


class Leaving:
    """All methods belong to the ledger's loop. True while there is anybody."""

    def __init__(self) -> None:
        self._people: set[str] = set()
        self._removing = 0

    def __bool__(self) -> bool:
        return bool(self._people)

    def check(self, item: object) -> None:
        """Raises Unavailable if ``item`` is about somebody whose key is about to go."""
        if type(item) is QueryDisclosure:
            named: Iterable[str] = [shown.person for shown in item.people]
        elif type(item) is PeopleEvent and not (item.erased and not self._removing):
            named = item.people
        else:
            return
        if not self._people.isdisjoint(named):
            raise Unavailable(
                "the key of a person whom this concerns is just being erased", hint="try again in a few seconds"
            )

    def without(self, item: PeopleEvent) -> PeopleEvent:
        """An erasure that is tried again: those whose entry is in the log already get no second one."""
        if not (item.erased and self._people):
            return item
        return replace(item, people=tuple(person for person in item.people if person not in self._people))

    def begin(self, people: Iterable[str]) -> None:
        """Their erasure is on its way into the log."""
        self._people.update(people)
        self._removing += 1

    def end(self, people: Iterable[str], failure: BaseException | None) -> None:
        """Their keys are gone; or they are not, and then nothing is written about them until they are."""
        self._removing -= 1
        if failure is None:
            self._people.difference_update(people)
