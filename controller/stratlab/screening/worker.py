"""The screening process: forks a child for each source and hands its findings back.

Parsing untrusted text can exhaust stack and memory, so it happens in a child with limits, where a
crash costs that child and nothing else. The process that forks never looks into a source: each
child begins as clean as the first. It ends when its stdin does, so it never outlives a controller.

On stdin: a length (4 bytes, big endian), whether a model wrote it (1 byte) and that many bytes of
source. On stdout: the child's wait status and a length (4 bytes each), then that many bytes of
JSON; once before the first request, with both zero, when sources can be taken.
"""

import gc
import json
import os
import resource
import struct
import sys
from dataclasses import asdict

from stratlab.domain.strategy import Author
from stratlab.screening.layers import screen_text, warm_up

CPU_SECONDS = 5
MEMORY_BYTES = 512 * 1024 * 1024
REQUEST = struct.Struct(">I?")
ANSWER = struct.Struct(">II")
MAX_ANSWER_BYTES = 64 * 1024 * 1024


def main() -> None:
    """Screen what comes in, one source after the other, until stdin ends."""
    warm_up()
    # What is here now is never collected, so that children share its pages.
    gc.freeze()
    sys.stdout.buffer.write(ANSWER.pack(0, 0))
    sys.stdout.buffer.flush()
    while header := sys.stdin.buffer.read(REQUEST.size):
        size, is_models = REQUEST.unpack(header)
        author = Author.MODEL if is_models else Author.HUMAN
        status, answer = _in_child(sys.stdin.buffer.read(size), author)
        sys.stdout.buffer.write(ANSWER.pack(status, len(answer)) + answer)
        sys.stdout.buffer.flush()


def _in_child(content: bytes, author: Author) -> tuple[int, bytes]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(content, author, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read(MAX_ANSWER_BYTES)
    _, status = os.waitpid(child, 0)
    return status, answer


def _answer(content: bytes, author: Author, writer: int) -> None:
    # In the child. Never returns: the parent's loop is not its business.
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        report = screen_text(content.decode("utf-8", "replace"), author)
        with os.fdopen(writer, "w") as pipe:
            json.dump(asdict(report), pipe)
    except BaseException:  # noqa: BLE001 - whatever it was, it ends here
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
