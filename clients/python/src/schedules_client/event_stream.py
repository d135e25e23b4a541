"""Server-sent events, as the HTML standard defines them, from bytes that are cut anywhere."""

from dataclasses import dataclass

_MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One block of the stream. Without data it only moves ``id``. ``retry_seconds``: None if the block has none."""

    id: str
    name: str
    data: str
    retry_seconds: float | None = None


class EventStream:
    """Feed it the bytes as they arrive. Raises ValueError if a block is longer than a megabyte."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: list[tuple[str, str]] = []
        self._id = ""
        self._begins = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The blocks that this chunk completes."""
        text = self._rest + chunk
        # A carriage return at the end may be the first half of a line end.
        held = b"\r" if text.endswith(b"\r") else b""
        whole = text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = whole.split(b"\n")
        self._rest = rest + held
        if len(self._rest) > _MOST_CHARACTERS or len(self._fields) > _MOST_CHARACTERS:
            raise ValueError("the stream has no end of a line for a megabyte")
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> ServerEvent | None:
        if self._begins:
            line, self._begins = line.removeprefix(b"\xef\xbb\xbf"), False
        if line:
            name, _, value = line.decode(errors="replace").partition(":")
            if name:
                self._fields.append((name, value.removeprefix(" ")))
            return None
        fields, self._fields = self._fields, []
        return self._block(fields) if fields else None

    def _block(self, fields: list[tuple[str, str]]) -> ServerEvent:
        last = dict(fields)
        if "\0" not in last.get("id", "\0"):
            self._id = last["id"]
        retry = last.get("retry", "")
        seconds = int(retry) / 1_000 if retry.isascii() and retry.isdigit() else None
        data = "\n".join(value for name, value in fields if name == "data")
        return ServerEvent(self._id, last.get("event") or "message", data, seconds)
