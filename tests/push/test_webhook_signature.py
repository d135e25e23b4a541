"""Signatures, checked against the example of the Standard Webhooks specification, and the secrets."""

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.push.subscription import Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret, sign, signed_headers

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_MASTER = b"a master secret that is no secret at all"
_HOOK = Subscription("harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", _NOW)


def test_a_signature_matches_the_specification() -> None:
    """The published test vector of the reference implementations."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_subscription_and_generation_has_its_own_secret() -> None:
    """Name, generation, master secret and creation time each change the secret."""
    later = replace(_HOOK, created_at=_NOW + timedelta(seconds=1))
    secrets = {
        derive_secret(_MASTER, _HOOK, 1),
        derive_secret(_MASTER, _HOOK, 2),
        derive_secret(_MASTER, replace(_HOOK, name="harbour-other"), 1),
        derive_secret(_MASTER, later, 1),
        derive_secret(b"another", _HOOK, 1),
    }

    assert len(secrets) == 5
    assert {len(secret) for secret in secrets} == {32}


def test_operators_changes_keep_the_secret() -> None:
    """Another address or a pause keeps the partner's secret."""
    changed = replace(_HOOK, target="https://q.example.org", is_paused=True)

    assert derive_secret(_MASTER, changed, 1) == derive_secret(_MASTER, _HOOK, 1)


def test_a_secret_is_rendered_as_specified() -> None:
    """The prefix, and base64 of its bytes."""
    prefix, _, encoded = render_secret(b"\x00" * 32).partition("_")

    assert prefix == "whsec"
    assert b64decode(encoded) == b"\x00" * 32


def test_headers_contain_the_signed_values() -> None:
    """Id and time in the headers are the signed ones; after a rotation there are two signatures."""
    rotated = _HOOK.rotated(_NOW)

    headers = signed_headers(_MASTER, rotated, "chg_1", _NOW + timedelta(hours=1), b"{}")

    timestamp = int((_NOW + timedelta(hours=1)).timestamp())
    expected = [sign(derive_secret(_MASTER, rotated, g), "chg_1", timestamp, b"{}") for g in (2, 1)]
    assert headers == {
        "webhook-id": "chg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(expected),
    }
