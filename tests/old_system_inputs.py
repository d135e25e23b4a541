"""Documents that the old system of the demonstration reads."""

from demo.old_system import Document


def catalogue_item(kind: str, title: str, parent_pid: str | None = None, **more: object) -> Document:
    return {"type": kind, "title": title, "parent_pid": parent_pid, **more}


def source_broadcast(episode_pid: str = "p0000001", **changes: object) -> Document:
    entry: Document = {
        "broadcast_pid": "p00000b1",
        "episode_pid": episode_pid,
        "version_pid": "p00000v1",
        "start": "2030-05-01T11:45:00Z",
        "end": "2030-05-01T12:15:00Z",
        "is_repeat": True,
        "is_blanked": False,
        "is_signed": False,
        "is_audio_described": True,
    }
    return entry | changes


def source_document(*entries: Document) -> Document:
    return {
        "sid": "amber_one",
        "date": "2030-05-01",
        "published_at": "2030-04-24T00:26:38Z",
        "broadcasts": list(entries),
    }


SOAP = {
    "p0000001": catalogue_item("episode", "A Late Ferry", "p0000002"),
    "p0000002": catalogue_item("series", "Series 3", "p0000003"),
    "p0000003": catalogue_item("brand", "Estuary"),
}
