"""Every answer that is not a result: an error code and a sentence that says why."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Why a frame, a point or a request led to nothing; counted on /diagnostics by these names.

    Those below 100 are error codes of answers, with the values of srv/TransferKeypoints and
    action/AlignClass. docs/troubleshooting.md says what to do about each.
    """

    NONE = 0
    UNKNOWN = 1
    BAD_REQUEST = 2
    CLASS_UNKNOWN = 3
    NO_IMAGE = 4
    NO_CAMERA_INFO = 5
    BAD_ENCODING = 6
    BACKBONE_MISMATCH = 7
    NOT_FOUND = 8
    LOW_SCORE = 9
    BUSY = 10
    TIMEOUT = 11
    DEMONSTRATION_UNKNOWN = 12
    BAD_FILE = 13
    SHUTDOWN = 14
    CANCELED = 15
    INACTIVE = 16
    PREEMPTED = 17
    OUT_OF_MEMORY = 18
    UNCALIBRATED = 19
    SIZE_MISMATCH = 20
    SYNC_MISS = 21
    NO_DEPTH = 22
    TF_MISSING = 23
    FORBIDDEN = 24
    PREPARING = 25
    FRAME_MISMATCH = 26
    SEVERAL_PUBLISHERS = 27
    # Of streams only: no answer carries them.
    QOS_INCOMPATIBLE = 100
    RATE_LIMIT = 102
    REPLACED = 103
    MESSAGE_LOST = 104
    TIME_JUMP = 105


LONGEST_MESSAGE = 2000  # characters: what a caller sent is quoted, and told again on /diagnostics


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """Raised wherever a request or a frame cannot be served; `message` is for the caller to read."""

    def __init__(self, code: Code, message: str):
        super().__init__(shortened(message))
        self.code = code
        self.message = shortened(message)


def shortened(message: str) -> str:
    """Cut a message off after LONGEST_MESSAGE characters."""
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 4] + " ..."
