"""The screening process: source on stdin, findings as JSON on stdout.

Parsing untrusted text can exhaust stack and memory, so it happens here, under limits, where a
crash costs one process and not the controller.
"""

import json
import resource
import sys
from dataclasses import asdict

from stratlab.domain.strategy import Finding, Severity
from stratlab.screening import security, static
from stratlab_runner.reading import read_source

CPU_SECONDS = 5
MEMORY_BYTES = 512 * 1024 * 1024


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
    """Limit this process, then screen what stdin holds."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    source = sys.stdin.buffer.read().decode("utf-8", "replace")
    json.dump([asdict(finding) for finding in findings(source)], sys.stdout)


if __name__ == "__main__":
    main()
