# SPDX-License-Identifier: AGPL-3.0-only
"""A journal's segments: their names, which are the numbers of their first records, and their headers."""

from itertools import pairwise

from relayer.journal.files import FileLayer
from relayer.journal.format import SegmentHeader, decode_segment_header

SUFFIX = ".journal"
_HEADER_BYTES = 2**20


def segment_names(files: FileLayer) -> list[str]:
    """The segments in a folder, oldest first."""
    return [name for name in files.names() if name.endswith(SUFFIX)]


def first_seq_of(name: str) -> int:
    """The number of the first record in a segment."""
    return int(name.removesuffix(SUFFIX))


def header_of(files: FileLayer, name: str) -> SegmentHeader | None:
    """The header of a segment; None when it is torn."""
    found = decode_segment_header(files.read(name, 0, _HEADER_BYTES))
    return None if found is None else found[0]


def prune(files: FileLayer, seq: int, older_s: float) -> list[str]:
    """Deletes segments whose records all are at or below `seq` and that were last written so many seconds ago, oldest
    first; never the last. Answers which.
    """
    gone = []
    for name, following in pairwise(segment_names(files)):
        if first_seq_of(following) > seq + 1 or files.age_s(name) < older_s:
            break
        files.remove(name)
        gone.append(name)
    return gone
