"""The screening process: forks a child for each source and hands its findings back.

Parsing untrusted text can exhaust stack and memory, so it happens in a child with limits, where a
crash costs that child and nothing else. The process that forks never looks into a source: each
child begins as clean as the first. It ends when its stdin does, so it never outlives a controller.

On stdin: a length (4 bytes, big endian) and that many bytes of source. On stdout: the child's wait
status and a length (4 bytes each), then that many bytes of JSON.
"""

import gc
import json
import os
import resource
import struct
import sys
from dataclasses import asdict

from stratlab.domain.strategy import Finding, Severity
from stratlab.screening import security, static
from stratlab_runner.reading import read_source

CPU_SECONDS = 5
MEMORY_BYTES = 512 * 1024 * 1024
REQUEST = struct.Struct(">I")
ANSWER = struct.Struct(">II")
MAX_ANSWER_BYTES = 64 * 1024 * 1024


def findings(source: str) -> list[Finding]:
    """Return the findings of all layers, stopping after the first layer with an error."""
    found = static.check_text(source)
    if found:
        return found
    reading = read_source(source)
    found = static.check_left_out(reading.left_out)
    for layer in (static, security):
        found += layer.check_tree(reading.tree)
        if any(finding.severity is Severity.ERROR for finding in found):
            break
    return found


def main() -> None:
    """Screen what comes in, one source after the other, until stdin ends."""
    # What is here now is never collected, so that children share its pages.
    gc.freeze()
    while header := sys.stdin.buffer.read(REQUEST.size):
        (size,) = REQUEST.unpack(header)
        status, answer = _in_child(sys.stdin.buffer.read(size))
        sys.stdout.buffer.write(ANSWER.pack(status, len(answer)) + answer)
        sys.stdout.buffer.flush()


def _in_child(content: bytes) -> tuple[int, bytes]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(content, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read(MAX_ANSWER_BYTES)
    _, status = os.waitpid(child, 0)
    return status, answer


def _answer(content: bytes, writer: int) -> None:
    # In the child. Never returns: the parent's loop is not its business.
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        found = findings(content.decode("utf-8", "replace"))
        with os.fdopen(writer, "w") as pipe:
            json.dump([asdict(finding) for finding in found], pipe)
    except BaseException:  # noqa: BLE001 - whatever it was, it ends here
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
