"""What a record in Dagster says about a version: facts, and links to its document, its page and its row of the feed."""

from collections.abc import Callable, Mapping

import dagster as dg

from schedules_pipeline.domain.changes import Change

VersionLinks = Callable[[Change], Mapping[str, dg.MetadataValue]]


def no_links(_: Change) -> Mapping[str, dg.MetadataValue]:
    return {}


def links_to(base: str) -> VersionLinks:
    """Links below ``base``, the address of the delivery service, which asks a browser without a session to sign in.

    The row of the feed is shown beside the version's differences, because a person who follows the link wants to read
    one row and not the JSON of a page of them.
    """

    def links(change: Change) -> Mapping[str, dg.MetadataValue]:
        pages = {
            "document": f"v1/schedules/{change.key}",
            "guide": f"guide/{change.key}",
            "feed": f"guide/{change.key}/versions?after={change.seq}#feed-row",
        }
        return {name: dg.MetadataValue.url(f"{base.rstrip('/')}/{page}") for name, page in pages.items()}

    return links


def change_metadata(change: Change) -> Mapping[str, dg.MetadataValue]:
    """A version's facts for operators, and the event that caused it."""
    metadata: dict[str, dg.MetadataValue] = {
        "seq": dg.MetadataValue.int(change.seq),
        "etag": dg.MetadataValue.text(change.etag),
        "broadcasts": dg.MetadataValue.int(change.broadcasts),
        "bytes": dg.MetadataValue.int(change.content_bytes),
        "published_at": dg.MetadataValue.timestamp(change.published_at),
        "build_milliseconds": dg.MetadataValue.float(change.build_milliseconds),
        "cause_count": dg.MetadataValue.int(change.cause_count),
    }
    if change.causes:
        first = change.causes[0]
        seconds = (change.published_at - first.notified_at).total_seconds()
        metadata |= {
            "cause": dg.MetadataValue.text(f"{first.origin}: {first.subject}"),
            "event_id": dg.MetadataValue.text(first.event_id),
            "notified_at": dg.MetadataValue.timestamp(first.notified_at),
            "seconds_from_notification": dg.MetadataValue.float(seconds),
        }
    return metadata
