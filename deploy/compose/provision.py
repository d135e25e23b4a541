"""Creates buckets, topics, queues and table on the emulator of the profile ``local``, which starts empty."""  # noqa: INP001 - mounted alone

import os

from demo.provision import (
    AwsEndpoints,
    announce_schedules,
    provision,
    provision_alarms,
    provision_files,
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
    provision_files(endpoints, os.environ["SCHEDULES_FILES_BUCKET"])


if __name__ == "__main__":
    main()
