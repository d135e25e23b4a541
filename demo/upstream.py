"""The upstream systems of the demonstration: they write documents and announce them.

Belongs here: the keys and messages of the schedule system and of the catalogue pipeline. The bucket itself announces
schedule documents.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

import orjson

from demo.provision import SOURCE_BUCKET, SOURCE_PREFIX
from demo.sample import Document, Sample, render_instant
from demo.traffic import Change

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from redis import Redis

CATALOGUE_PREFIX: Final = "catalogue:"
PUTS_AT_ONCE: Final = 16
_ITEMS_IN_A_PIPELINE: Final = 500


class Upstream:
    """Writes to the source bucket and the catalogue keyspace. Client errors are passed on.

    ``clock`` gives the aware instant that notifications carry. ``load`` uses the S3 client in ``PUTS_AT_ONCE`` threads,
    so its connection pool should be as large.
    """

    def __init__(
        self,
        *,
        s3: "S3Client",
        sns: "SNSClient",
        redis: "Redis",
        topic_arn: str,
        clock: Callable[[], datetime],
        bucket: str = SOURCE_BUCKET,
    ) -> None:
        self._s3 = s3
        self._sns = sns
        self._redis = redis
        self._topic_arn = topic_arn
        self._clock = clock
        self._bucket = bucket
        self._sequence = count(1)

    def put_schedule(self, sid: str, on: date, document: Document) -> None:
        """Put the document of a schedule. Its content is not checked."""
        self._s3.put_object(
            Bucket=self._bucket,
            Key=_object_key(sid, on),
            Body=orjson.dumps(document),
            ContentType="application/json",
        )

    def remove_schedule(self, sid: str, on: date) -> None:
        """Remove the document of a schedule, if there is one."""
        self._s3.delete_object(Bucket=self._bucket, Key=_object_key(sid, on))

    def put_catalogue(self, document: Document) -> None:
        """Write a catalogue document and then announce it, so that it is there when the notification arrives."""
        self._redis.set(_catalogue_key(document["pid"]), orjson.dumps(document))
        self._announce("UPDATE", document["type"], document["pid"])

    def delete_catalogue(self, pid: str, kind: str) -> None:
        """Delete a catalogue document, if there is one, and then announce it."""
        self._redis.delete(_catalogue_key(pid))
        self._announce("DELETE", kind, pid)

    def apply(self, change: Change) -> None:
        """Write and delete all documents of a change, the catalogue first."""
        for document in change.catalogue.values():
            self.put_catalogue(document)
        for pid, kind in change.deleted.items():
            self.delete_catalogue(pid, kind)
        for (sid, on), schedule in change.schedules.items():
            if schedule is None:
                self.remove_schedule(sid, on)
            else:
                self.put_schedule(sid, on, schedule)

    def load(
        self, sample: Sample, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Write a whole sample, the catalogue first and without notifications.

        ``on_progress`` is called in the calling thread with the number of written documents and the total. After an
        error no further write is begun.
        """
        total = len(sample.catalogue) + len(sample.schedules)
        done = 0
        for written in self._load(sample):
            done += written
            on_progress(done, total)

    def _announce(self, action: str, kind: str, pid: str) -> None:
        at = render_instant(self._clock())
        notification = {"action": action, "type": kind, "pid": pid, "seq": next(self._sequence), "at": at}
        self._sns.publish(TopicArn=self._topic_arn, Message=orjson.dumps(notification).decode())

    def _load(self, sample: Sample) -> Iterator[int]:
        """Write the sample. Yields the number of documents that were written since the last yield."""
        documents = [*sample.catalogue.values()]
        for first in range(0, len(documents), _ITEMS_IN_A_PIPELINE):
            yield self._load_catalogue(documents[first : first + _ITEMS_IN_A_PIPELINE])
        yield from self._load_schedules(sample)

    def _load_catalogue(self, documents: Sequence[Document]) -> int:
        with self._redis.pipeline(transaction=False) as pipeline:
            for document in documents:
                pipeline.set(_catalogue_key(document["pid"]), orjson.dumps(document))
            pipeline.execute()
        return len(documents)

    def _load_schedules(self, sample: Sample) -> Iterator[int]:
        pool = ThreadPoolExecutor(PUTS_AT_ONCE, thread_name_prefix="load")
        try:
            puts = [
                pool.submit(self.put_schedule, *key, schedule) for key, schedule in sample.schedules.items()
            ]
            for put in as_completed(puts):
                put.result()
                yield 1
        finally:
            pool.shutdown(cancel_futures=True)


def _object_key(sid: str, on: date) -> str:
    return f"{SOURCE_PREFIX}{sid}/{on.isoformat()}.json"


def _catalogue_key(pid: str) -> str:
    return CATALOGUE_PREFIX + pid
