"""Signatures of webhooks by the Standard Webhooks specification, and the secrets that sign.

Every secret is derived from one master secret, so none is stored. It depends on the subscription's creation time, so a
name that is used again gets a new secret.
"""

import hashlib
import hmac
from base64 import b64encode
from datetime import datetime

from schedules_pipeline.push.subscription import Subscription


def derive_secret(master: bytes, subscription: Subscription, generation: int) -> bytes:
    """32 bytes, different for each subscription and each generation."""
    made_from = f"webhook|{subscription.name}|{subscription.created_at.isoformat()}|{generation}"
    return hmac.digest(master, made_from.encode(), hashlib.sha256)


def render_secret(secret: bytes) -> str:
    """The form that partners use: ``whsec_`` and base64."""
    return f"whsec_{b64encode(secret).decode()}"


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """``v1,`` and base64. The id must not contain a full stop, which separates the signed parts."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def signed_headers(
    master: bytes, subscription: Subscription, message_id: str, now: datetime, body: bytes
) -> dict[str, str]:
    """The three headers. For a day after a rotation there are two signatures, separated by a space."""
    timestamp = int(now.timestamp())
    secrets = [derive_secret(master, subscription, g) for g in subscription.signing_generations(now)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp, body) for secret in secrets),
    }
