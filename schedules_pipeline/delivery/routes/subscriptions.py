"""A partner's own subscriptions to webhooks and files: how far each one is, and what the partner may do with it."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Response

from schedules_pipeline.delivery.freshness import NEVER_KEPT
from schedules_pipeline.delivery.problems import BAD_REQUEST, FORBIDDEN, NOT_FOUND, Problem
from schedules_pipeline.delivery.routes.documented import FORBIDDEN_HERE, PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import (
    Replay,
    RotatedSecret,
    Rotation,
    SubscriptionState,
    SubscriptionStates,
)
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.delivery.routes.strict_json import require_strict_json
from schedules_pipeline.documents.cursors import FeedCursor, parse_cursor
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.push.description import describe
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import SECRET_OVERLAPS_FOR, Standing, SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret

_NOT_YOURS = "Your key has no subscription of this name; `/v1/subscriptions` lists those that it has."

Name = Annotated[str, Path(description="The subscription's name.", pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]

routes = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"], responses=PROBLEMS)


@routes.get("", responses={200: {"model": SubscriptionStates}})
async def get_subscriptions(call: Called) -> Response:
    """Your webhooks and file deliveries: state, lag, and the latest answers of your receiver."""
    return _answer({"subscriptions": await call.read(_described, call)})


@routes.get("/{name}", responses={200: {"model": SubscriptionState}})
async def get_subscription(call: Called, name: Name) -> Response:
    """One of your webhooks or file deliveries."""
    return _answer(await call.read(_one, call, name))


@routes.post(
    "/{name}/replay",
    responses={200: {"model": SubscriptionState}},
    dependencies=[Depends(require_strict_json)],
)
async def post_replay(call: Called, name: Name, replay: Replay) -> Response:
    """Send what has changed since a cursor again; this also ends the wait after a failure, and a quarantine."""
    return _answer(await call.read(_replayed, call, name, replay.cursor))


@routes.post("/{name}/ping", responses={200: {"model": SubscriptionState}})
async def post_ping(call: Called, name: Name) -> Response:
    """Send `subscription.ping` to a webhook now; then see `problem` and `delivered_at`."""
    return _answer(await call.read(_pinged, call, name))


@routes.post(
    "/{name}/rotate-secret",
    responses={200: {"model": RotatedSecret}, **FORBIDDEN_HERE},
    dependencies=[Depends(require_strict_json)],
)
async def post_rotation(call: Called, name: Name, rotation: Rotation) -> Response:
    """Get a new secret for a webhook. The previous one signs as well for 24 hours, so replace yours in that time."""
    return _answer(await call.read(_rotated, call, name, rotation.replaces))


def _described(call: Call) -> list[Mapping[str, Any]]:
    standings = call.delivery.store.subscriptions.all()
    return [_shown(call, each) for each in standings if each.subscription.partner == call.caller.name]


def _one(call: Call, name: str) -> Mapping[str, Any]:
    return _shown(call, _own(call, name))


def _replayed(call: Call, name: str, text: str) -> Mapping[str, Any]:
    _own(call, name)
    admin = SubscriptionAdmin(call.delivery.store, call.delivery.clock)
    try:
        cursor: FeedCursor = parse_cursor(text)
        after = admin.replay(name, cursor.position, cursor.epoch)
    except InvalidIdentifier as error:
        raise Problem(BAD_REQUEST, f"`cursor`: {error}.") from None
    if after is None:
        raise Problem(NOT_FOUND, _NOT_YOURS)
    return _shown(call, after)


def _pinged(call: Call, name: str) -> Mapping[str, Any]:
    if _own(call, name).subscription.kind is not SubscriptionKind.WEBHOOK:
        raise Problem(BAD_REQUEST, "Files have no receiver to ping.")
    after = SubscriptionAdmin(call.delivery.store, call.delivery.clock).ping(name)
    if after is None:
        raise Problem(NOT_FOUND, _NOT_YOURS)
    return _shown(call, after)


def _rotated(call: Call, name: str, replaced: int) -> Mapping[str, Any]:
    if _own(call, name).subscription.kind is not SubscriptionKind.WEBHOOK:
        raise Problem(BAD_REQUEST, "Files are not signed.")
    if (master := call.delivery.policy.webhook_master_secret) is None:
        raise Problem(FORBIDDEN, "Here only the operators rotate secrets: ask them for a new one.")
    after = SubscriptionAdmin(call.delivery.store, call.delivery.clock).rotate(name, replaced)
    if after is None:
        raise Problem(NOT_FOUND, _NOT_YOURS)
    made = after.subscription
    if made.generation != replaced + 1:
        raise Problem(BAD_REQUEST, f"The secret is of generation {made.generation}, not {replaced}.")
    return {
        "generation": made.generation,
        "secret": render_secret(derive_secret(master, made, made.generation)),
        "previous_signs_until": made.rotated_at and made.rotated_at + SECRET_OVERLAPS_FOR,
    }


def _own(call: Call, name: str) -> Standing:
    found = call.delivery.store.subscriptions.one(name)
    if found is None or found.subscription.partner != call.caller.name:
        raise Problem(NOT_FOUND, _NOT_YOURS)
    return found


def _shown(call: Call, standing: Standing) -> Mapping[str, Any]:
    return describe(standing, call.delivery.store, call.delivery.clock())


def _answer(members: Mapping[str, Any]) -> Response:
    body = orjson.dumps(members, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json", headers={"Cache-Control": NEVER_KEPT})
