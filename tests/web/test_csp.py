"""Letting the script through a policy: just so far, and breaking nothing of the page's own."""

from __future__ import annotations

import pytest

from refork.adapters.csp import allow

LIVE = "http://127.0.0.1:4123"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("img-src 'self'", "img-src 'self'"),
        (
            "default-src 'self'",
            f"default-src 'self'; script-src 'self' {LIVE}; connect-src 'self' {LIVE}",
        ),
        (
            "default-src 'none'",
            f"default-src 'none'; script-src {LIVE}; connect-src {LIVE}",
        ),
        (
            "script-src 'self' 'unsafe-inline'; connect-src 'none'",
            f"script-src 'self' 'unsafe-inline' {LIVE}; connect-src {LIVE}",
        ),
        (
            "script-src 'self'; script-src-elem 'sha256-abc='",
            f"script-src 'self'; script-src-elem 'sha256-abc=' {LIVE}",
        ),
        ("SCRIPT-SRC 'None';;script-src *", f"script-src {LIVE}"),
        (
            "script-src 'self', connect-src 'self'",
            f"script-src 'self' {LIVE}, connect-src 'self' {LIVE}",
        ),
    ],
)
def test_a_policy_is_extended_where_it_decides(policy: str, expected: str) -> None:
    assert allow([policy], LIVE) == ([expected], "")


def test_strict_dynamic_needs_the_pages_nonce() -> None:
    policies, nonce = allow(["script-src 'strict-dynamic' 'nonce-aB3/x+=='"], LIVE)
    assert nonce == "aB3/x+=="
    assert policies == [f"script-src 'strict-dynamic' 'nonce-aB3/x+==' {LIVE}"]


def test_strict_dynamic_without_a_nonce_gets_one() -> None:
    policies, nonce = allow(["script-src 'strict-dynamic' 'sha256-abc='"], LIVE)
    assert nonce
    assert f"'nonce-{nonce}'" in policies[0]


def test_one_nonce_serves_several_policies() -> None:
    values = ["script-src 'strict-dynamic' 'sha256-x='", "script-src 'strict-dynamic' 'nonce-n0'"]
    policies, nonce = allow(values, LIVE)
    assert nonce == "n0"
    assert all("'nonce-n0'" in policy for policy in policies)


def test_a_nonce_is_not_added_where_it_would_switch_off_inline_scripts() -> None:
    policies, nonce = allow(["script-src 'unsafe-inline'"], LIVE)
    assert nonce == ""
    assert "nonce" not in policies[0]


def test_a_nonce_cannot_break_out_of_the_tag() -> None:
    _, nonce = allow(["script-src 'strict-dynamic' 'nonce-\"><b>'"], LIVE)
    assert nonce.isalnum()
