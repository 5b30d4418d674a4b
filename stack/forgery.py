# SPDX-License-Identifier: AGPL-3.0-only
"""What somebody with the relayer's disk could do: change one order in a copy of a journal and put everything right.

    python -m stack.forgery JOURNAL COPY

The copy's checksums and heads are sound, and a relayer would start from it. `ouro audit` finds the order.
"""

import shutil
import sys
from pathlib import Path

import msgspec

from relayer.core import inputs
from relayer.core.inputs import Place
from relayer.journal import Group
from relayer.journal.format import chain, encode_group, encode_segment_header
from relayer.journal.reader import open_segment

ONE_PRICE_UNIT = 1 << 160
"""In the word that holds an order's amounts."""


def forge(journal: Path, copy: Path) -> int:
    """Copies a journal of one segment with a better price for the taker in its middle order; the order's number.

    Raises ValueError for a journal of several segments, or without an order.
    """
    paths = list(journal.glob("*.journal"))
    if len(paths) != 1:
        raise ValueError(f"{journal} holds {len(paths)} segments: this forgery is for one")
    reader = open_segment(paths[0].name, paths[0].read_bytes(), is_last=True)
    if reader is None:
        raise ValueError(f"{paths[0]} is empty")
    header, groups = reader.header, list(reader.groups())
    victim = _middle_order(groups)
    head, parts = header.head, [encode_segment_header(header)]
    for group in groups:
        records = [
            _cheaper(record) if seq == victim else record for seq, record in enumerate(group.records, group.first_seq)
        ]
        head = chain(head, group.first_seq, records, group.state_hash)
        parts.append(encode_group(group.first_seq, records, group.state_hash, head, header.salt))
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    (copy / paths[0].name).write_bytes(b"".join(parts))
    return victim


def _middle_order(groups: list[Group]) -> int:
    places = [
        seq
        for group in groups
        for seq, record in enumerate(group.records, group.first_seq)
        if isinstance(inputs.decode(record), Place)
    ]
    if not places:
        raise ValueError("the journal holds no order")
    return places[len(places) // 2]


def _cheaper(record: bytes) -> bytes:
    item = inputs.decode(record)
    assert isinstance(item, Place)
    amounts = int.from_bytes(item.amounts, "big") - ONE_PRICE_UNIT
    return inputs.encode(msgspec.structs.replace(item, amounts=amounts.to_bytes(32, "big")))


if __name__ == "__main__":
    sys.stdout.write(f"record {forge(Path(sys.argv[1]), Path(sys.argv[2]))} is changed\n")
