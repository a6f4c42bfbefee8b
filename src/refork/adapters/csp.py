"""Letting one more script through a Content-Security-Policy (CSP Level 3), and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

HEADERS = ("content-security-policy", "content-security-policy-report-only")
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_SCRIPT = ("script-src-elem", "script-src", "default-src")
_CONNECT = ("connect-src", "default-src")


def allow(values: Sequence[str], origin: str) -> tuple[list[str], str]:
    """The header values, each extended for a script from `origin` that connects to `origin`.

    Also the nonce that the script has to carry, or "". A nonce is needed only where
    `strict-dynamic` makes browsers ignore origins; elsewhere it would switch off `unsafe-inline`
    for the page's own scripts. A header may hold several policies, comma-separated, and all of them
    have to allow it.
    """
    nonce = _shared_nonce(values)
    extended = [
        ", ".join(_extend(policy, origin, nonce) for policy in value.split(",")) for value in values
    ]
    return extended, nonce


def _shared_nonce(values: Sequence[str]) -> str:
    if not any("'strict-dynamic'" in value.lower() for value in values):
        return ""
    present = (_NONCE.search(value) for value in values)
    return next((match[1] for match in present if match), "") or os.urandom(12).hex()


def _extend(policy: str, origin: str, nonce: str) -> str:
    directives = _directives(policy)
    _add(directives, _SCRIPT, "script-src", [origin])
    _add(directives, _CONNECT, "connect-src", [origin])
    scripts = next((directives[name] for name in _SCRIPT if name in directives), [])
    if "'strict-dynamic'" in (source.lower() for source in scripts):
        token = f"'nonce-{nonce}'"
        if token not in scripts:
            scripts.append(token)
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def _directives(policy: str) -> dict[str, list[str]]:
    directives: dict[str, list[str]] = {}
    for directive in policy.split(";"):
        words = directive.split()
        if words:
            directives.setdefault(words[0].lower(), words[1:])  # the first one counts
    return directives


def _add(
    directives: dict[str, list[str]], names: Sequence[str], own: str, sources: Sequence[str]
) -> None:
    """Add to the directive that decides; where that is default-src, to a copy of it named `own`."""
    name = next((name for name in names if name in directives), None)
    if name is None:
        return  # nothing forbids it
    kept = [source for source in directives[name] if source.lower() != "'none'"]
    directives[own if name == "default-src" else name] = [*kept, *sources]
