"""Two publishers, each with connections of its own, on the same schedules of one real store while items change."""

from random import Random

import pytest
from fakes import FakeClock, fake_upstreams
from workers import (
    Server,
    Workers,
    assert_announced_once,
    build_everything,
    contents,
    load_sample,
    pipeline_on,
    write_item,
)

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid

_CHANGES = 60


@pytest.fixture(
    params=[
        "redis",
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.xdist_group("cluster")]),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """One Redis, and a Redis Cluster of three masters."""
    if request.param == "cluster":
        return Server(request.getfixturevalue("cluster").url, is_cluster=True)
    request.getfixturevalue("redis_client")
    return Server(request.getfixturevalue("redis_server").url, is_cluster=False)


def test_two_publishers_and_a_stream_of_changes_converge(server: Server) -> None:
    """All published documents end as a build from scratch gives them, and each version is announced once."""
    source = fake_upstreams(FakeClock(), Random(0))
    sample, keys = load_sample(server, source)
    follower = pipeline_on(server, "shared", source)
    build_everything(follower, keys)
    brands = [item for item in sample.catalogue.values() if item["type"] == "brand"]
    random, catalogue = Random(1), server.link()
    workers = Workers()
    workers.publisher(pipeline_on(server, "shared", source))
    workers.publisher(pipeline_on(server, "shared", source))

    with workers:
        for number in range(_CHANGES):
            brand = random.choice(brands)
            catalogue.run([write_item({**brand, "title": f"Title {number}"})])
            cause = Cause(f"change {number}", Origin.CATALOGUE, brand["pid"], follower.clock())
            follower.follower.follow({Pid(brand["pid"]): cause})

    scratch = pipeline_on(server, "scratch", source)
    build_everything(scratch, keys)
    assert workers.setbacks == []
    assert contents(follower, keys) == contents(scratch, keys)
    assert_announced_once(follower)
