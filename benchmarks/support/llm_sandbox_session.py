"""The snippet through llm-sandbox's docker back-end; runs where that package is installed.

Usage: llm_sandbox_session.py IMAGE SNIPPET, then a line on standard input for each round. A round
opens a session, runs the snippet twice in it, and closes it; it prints a line of JSON with the
clock around each, and what the snippet printed. The image has no shell, no package
manager and no ``/sandbox``, so no environment is set up in it, the code goes to ``/tmp``, and the
container's own program is one that waits, under an init that ends it at once.
"""

import json
import sys
import time

from llm_sandbox import SandboxSession


def one_round(image: str, snippet: str) -> dict[str, object]:
    """Open, run twice, close."""
    asked = time.time()
    session = SandboxSession(
        lang="python",
        image=image,
        keep_template=True,
        skip_environment_setup=True,
        workdir="/tmp",  # noqa: S108 - in the container
        runtime_configs={
            "network_mode": "none",
            "init": True,
            "entrypoint": ["python", "-c", "import time; time.sleep(3600)"],
        },
    )
    session.open()
    runs = []
    for _ in range(2):
        began = time.time()
        output = session.run(snippet)
        assert output.exit_code == 0, output
        runs.append({"began": began, "ended": time.time(), "printed": output.stdout})
    closing = time.time()
    session.close()
    return {"asked": asked, "runs": runs, "closing": closing, "closed": time.time()}


def main() -> None:
    """Run a round for each line."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(one_round(sys.argv[1], sys.argv[2])), flush=True)


if __name__ == "__main__":
    main()
