"""Keeps a complete and current copy of the schedules in memory, with the standard library alone."""

import json
import os
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

VERSION = ("seq", "etag", "published_at")


def get(path: str) -> tuple[int, Any]:
    """The status and the JSON of an answer. Repeats a request that failed, after the time that the service asks for."""
    headers = {"Authorization": f"Bearer {os.environ['SCHEDULES_API_KEY']}"}
    request = Request(os.environ["SCHEDULES_DELIVERY_URL"] + path, headers=headers)
    while True:
        pause = 5.0
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            if error.code not in (429, 500, 502, 503, 504):
                return error.code, None
            pause = float(error.headers.get("Retry-After", pause))
        except OSError as error:
            print(error)
        time.sleep(pause)


def start(held: dict[str, Any]) -> str:
    """Fetch what differs from the digest. Returns the cursor to continue from."""
    status, digest = get("/v1/digest")
    assert status == 200, f"the digest is answered with {status}: check address and key"
    listed = {f"{sid}/{day['date']}": day for sid, days in digest["services"].items() for day in days}
    for key, day in listed.items():
        if key not in held or any(held[key][name] != day[name] for name in VERSION):
            update(held, key, day["removed"], f"/v1/schedules/{key}?min_seq={day['seq']}")
    for key in held.keys() - listed.keys():
        del held[key]
    return str(digest["cursor"])


def update(held: dict[str, Any], key: str, is_removed: bool, path: str) -> None:
    status, schedule = (404, None) if is_removed else get(path)
    if status == 200:
        held[key] = schedule
    else:
        held.pop(key, None)
    print(key, f"seq {schedule['seq']}" if schedule else "is not published", flush=True)


def follow(held: dict[str, Any], cursor: str) -> str:
    """Apply the next changes as soon as there are any. Returns the cursor to continue from."""
    status, page = get(f"/v1/changes?since={cursor}&wait=30")
    if status == 410:
        return start(held)
    for change in page["changes"]:
        update(held, f"{change['sid']}/{change['date']}", change["removed"], change["href"])
    return str(page["cursor"])


if __name__ == "__main__":
    schedules: dict[str, Any] = {}
    cursor = start(schedules)
    while True:
        cursor = follow(schedules, cursor)
