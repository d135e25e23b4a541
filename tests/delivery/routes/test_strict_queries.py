"""Query parameters that a route does not declare, and conditions that name another coding."""

from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_PATH = "/v1/schedules/alder/2026-03-28"


@pytest.fixture(scope="module")
def stage() -> DeliveryStage:
    stage = DeliveryStage()
    items = [ItemPut(episode, "A title that repeats " * 20) for episode in EPISODES[:1]]
    stage.publish([*items, *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.keep_up()
    return stage


def _errors(answer: Any) -> list[str]:
    assert answer.status_code == 400
    return [f"{error['parameter']}: {error['problem']}" for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("address", "nearest"),
    [
        ("/v1/schedules?sids=alder", "sid"),
        ("/v1/schedules/alder?frm=2026-03-01", "from"),
        ("/v1/schedules.xmltv?dates=2026-03-28", "date"),
        (f"{_PATH}?min_sq=1", "min_seq"),
        ("/v1/digest?form=2026-03-28", "from"),
        ("/v1/changes?since=&limits=3", "limit"),
        ("/v1/now-next?counts=2", "count"),
        ("/v1/programmes/p0000001/broadcasts?form=2026-03-28T00:00:00Z", "from"),
        ("/v1/catalogue/available?afer=p0000001", "after"),
    ],
)
def test_unknown_parameter_is_rejected_with_the_nearest_name(
    stage: DeliveryStage, address: str, nearest: str
) -> None:
    """A misspelt parameter gives 400 and the name that was meant, not the data of another day or service."""
    [error] = _errors(stage.client().get(address))

    assert error.endswith(f"Did you mean `{nearest}`?")


def test_no_route_ignores_a_parameter(stage: DeliveryStage) -> None:
    """Every route under ``/v1`` and ``/health`` rejects a parameter that it does not declare."""
    found = {}
    for path, operations in stage.application.openapi()["paths"].items():
        if "{access}" in path:
            continue
        for method in operations:
            filled = path.format(sid="alder", date="2026-03-28", format="json", pid="p0000001", name="defect")
            found[method, path] = stage.client().request(
                method, filled, params={"unknown": "1"}, json={} if method == "post" else None
            )

    assert len(found) > 12
    assert {answer.status_code for answer in found.values()} == {400}
    assert all("query.unknown: This parameter is unknown." in _errors(each)[0] for each in found.values())


def test_value_that_counts_once_is_not_repeated(stage: DeliveryStage) -> None:
    """Of two values of a single one neither is chosen silently; a list takes many."""
    client = stage.client()

    assert _errors(client.get("/v1/schedules?date=2026-03-28&date=2026-03-29")) == [
        "query.date: This parameter may be sent once only."
    ]
    assert client.get("/v1/schedules?date=2026-03-28&sid=alder&sid=alder").status_code == 200


def test_televisions_may_send_parameters_of_their_own(stage: DeliveryStage) -> None:
    """A television cannot be corrected, so its further parameters change nothing."""
    partner = stage.client().headers["authorization"].removeprefix("Bearer ")

    assert stage.client(None).get(f"/dvb-i/{partner}/services.xml?brand=x").status_code == 200


@pytest.mark.parametrize(
    ("address", "codings"),
    [(_PATH, 3), (f"{_PATH}.xmltv", 3), ("/v1/schedules?date=2026-03-28", 2), ("/v1/schedules.xmltv", 2)],
)
@pytest.mark.parametrize("wanted", ["identity", "gzip", "zstd"])
def test_condition_that_names_another_coding_is_no_match(
    stage: DeliveryStage, address: str, codings: int, wanted: str
) -> None:
    """304 says that the client holds the bytes of the coding that it would get (RFC 9110, 13.1.2). An answer that is
    sent in pieces has no Zstandard, so who accepts that alone gets it plain.
    """
    client, tags = stage.client(), {}
    for coding in ("identity", "gzip", "zstd"):
        tags[coding] = client.get(address, headers={"Accept-Encoding": coding}).headers["etag"]
    assert len(set(tags.values())) == codings

    for tag in tags.values():
        answer = client.get(address, headers={"Accept-Encoding": wanted, "If-None-Match": f'"x", W/{tag}'})

        assert answer.status_code == (304 if tag == tags[wanted] else 200)
        assert answer.headers["etag"] == tags[wanted]


def test_condition_on_a_small_answer_names_the_plain_coding(stage: DeliveryStage) -> None:
    """An answer that is not compressed has the tag of the plain bytes, whatever coding is preferred."""
    client = stage.client()
    answer = client.get(
        "/v1/digest?sid=alder&from=2026-03-28&to=2026-03-28", headers={"Accept-Encoding": "gzip"}
    )
    assert "content-encoding" not in answer.headers

    again = client.get(
        answer.request.url, headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["etag"]}
    )
    every = client.get(answer.request.url, headers={"Accept-Encoding": "gzip", "If-None-Match": "*"})

    assert (again.status_code, every.status_code) == (304, 304)
    assert every.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("path", ["/v1/services/", f"{_PATH}/", "/docs/"])
def test_a_path_with_another_slash_does_not_exist(stage: DeliveryStage, path: str) -> None:
    """A redirection would lead to the address that this process sees, which has no TLS behind a proxy."""
    assert stage.client().get(path, follow_redirects=False).status_code == 404


def test_days_in_the_wrong_order_are_rejected(stage: DeliveryStage) -> None:
    """An empty digest would look like one without schedules."""
    assert stage.client().get("/v1/digest?from=2026-03-29&to=2026-03-28").status_code == 400


def test_a_lost_plus_is_named(stage: DeliveryStage) -> None:
    """The plus of an offset is a space in an address."""
    answer = stage.client().get("/v1/now-next?at=2026-03-28T20:00:00+01:00")

    (wrong,) = answer.json()["errors"]
    assert wrong["problem"].startswith("not an instant such as")
    assert "%2B" in wrong["problem"]
