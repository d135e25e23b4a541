"""Creates buckets, topics, queues and table on the emulator of the profile ``local``, which starts empty."""  # noqa: INP001 - mounted alone

import os

from demo.provision import (
    AwsEndpoints,
    announce_schedules,
    provision,
    provision_alarms,
    provision_buckets,
    provision_references,
)


def main() -> None:
    endpoints = AwsEndpoints(
        os.environ["SCHEDULES_AWS_ENDPOINT_URL"],
        os.environ["SCHEDULES_AWS_REGION"],
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    announce_schedules(endpoints, provision(endpoints))
    provision_alarms(endpoints)
    provision_references(endpoints)
    buckets = ("SCHEDULES_FILES_BUCKET", "SCHEDULES_STATE_EXPORT_BUCKET")
    provision_buckets(endpoints, *(os.environ[name] for name in buckets))


if __name__ == "__main__":
    main()
