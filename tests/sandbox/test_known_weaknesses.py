"""The table of published weaknesses, against versions as engines tell them."""

import pytest

from stratlab.sandbox.known_weaknesses import WEAKNESSES, open_weaknesses


@pytest.mark.parametrize(
    ("component", "version", "names"),
    [
        ("runc", "1.1.11", {"CVE-2024-21626", "CVE-2024-45310", "CVE-2025-31133"}),
        ("runc", "1.1.12", {"CVE-2024-45310", "CVE-2025-31133"}),
        # Debian's fix has the upstream number of the weak version.
        ("runc", "1.1.5+ds1-1+deb12u1", {"CVE-2024-45310", "CVE-2025-31133"}),
        ("runc", "1.1.5+ds1-1", {"CVE-2024-21626", "CVE-2024-45310", "CVE-2025-31133"}),
        ("runc", "1.1.4+ds1-1+deb12u1", {"CVE-2024-21626", "CVE-2024-45310", "CVE-2025-31133"}),
        ("runc", "1.2.7", {"CVE-2025-31133"}),
        ("runc", "1.2.8", set()),
        ("runc", "1.3.2", {"CVE-2025-31133"}),
        ("runc", "1.3.3", set()),
        ("runc", "2.0.0", set()),
        ("runc", "unknown", set()),
        ("containerd", "1.6.20~ds1", {"CVE-2024-40635"}),
        ("containerd", "v1.7.27", set()),
        ("Engine", "20.10.24+dfsg1", {"CVE-2024-41110"}),
        ("Engine", "28.2.2", set()),
        ("something", "0.1", set()),
    ],
)
def test_version_has_the_weaknesses_that_it_has(
    component: str, version: str, names: set[str]
) -> None:
    found = list(open_weaknesses({component: version}))
    assert {weakness.name for weakness, _ in found} == names
    assert {seen for _, seen in found} <= {version}


def test_every_weakness_says_what_it_does() -> None:
    assert all(weakness.fixed and len(weakness.effect) > 20 for weakness in WEAKNESSES)
    assert len({weakness.name for weakness in WEAKNESSES}) == len(WEAKNESSES)
