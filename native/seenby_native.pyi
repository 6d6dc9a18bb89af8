from collections.abc import Callable, Sequence

INTERFACE: int

class Damaged(Exception): ...
class Twice(Exception): ...

class PersonCrypto:
    def __new__(cls, person_key: bytes, version: int, region: str, epoch: int) -> PersonCrypto: ...
    @property
    def pseudonym(self) -> bytes: ...
    def label(self, n: int, /) -> bytes: ...

class RecordSealer:
    def __new__(cls, key: bytes, region: str, epoch: int, block: bytes) -> RecordSealer: ...
    def entry(
        self, kind: int, tail: bytes, private: bytes, record: bytes, withheld: bytes, random: bytes, /
    ) -> tuple[bytes, bytes]: ...

def name_people(
    epoch: int,
    people: Sequence[PersonCrypto],
    numbers: Sequence[int],
    parts: Sequence[bytes],
    query_key: bytes,
    random: bytes,
) -> tuple[list[bytes], bytes]: ...
def insert(
    read: Callable[[bytes], bytes | memoryview[int] | None],
    write: Callable[[list[tuple[bytes, bytes]]], object],
    epoch: int,
    fresh: bool,
    records: list[bytes],
) -> bytes: ...
