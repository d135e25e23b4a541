"""Launches a coldstart through Dagster's GraphQL endpoint, and asks for the state of its runs."""

from collections.abc import Sequence

from demo.dagster_services import LOCATION, Webserver
from schedules_pipeline.errors import ServiceError

_LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""

_RUNS = """
query($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
    ... on Runs { results { status } }
  }
}
"""


def launch_coldstart(webserver: Webserver, shards: Sequence[str]) -> str:
    """Launch the backfill over these shards of the coldstart. Returns its id."""
    params = {
        "selector": {
            "partitionSetName": "coldstart_partition_set",
            "repositorySelector": {"repositoryName": "__repository__", "repositoryLocationName": LOCATION},
        },
        "partitionNames": list(shards),
        "title": "Coldstart",
    }
    result = webserver.query(_LAUNCH, {"params": params})["launchPartitionBackfill"]
    if "backfillId" not in result:
        raise ServiceError(f"the coldstart was not launched: {result.get('message', result['__typename'])}")
    return str(result["backfillId"])


def run_statuses(webserver: Webserver, backfill_id: str) -> list[str]:
    """The statuses of the runs that the backfill has launched so far."""
    results = webserver.query(_RUNS, {"id": backfill_id})["runsOrError"]["results"]
    return [run["status"] for run in results]
