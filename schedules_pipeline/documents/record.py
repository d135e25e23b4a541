"""How a value is kept in the store: one JSON object with the version of its form in the member ``v``.

Processes of several releases share one keyspace. A reader ignores members that it does not know, fills absent ones
with the defaults of the dataclass, and upgrades older forms by functions. So a field that is added to a record needs
a default and no new version; only a form that the dataclass cannot read needs one.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import orjson
from pydantic import TypeAdapter

from schedules_pipeline.documents.validation import explain, name_fields
from schedules_pipeline.errors import InvalidRecord

_Value = TypeVar("_Value")


class Record(Generic[_Value]):
    """Renders and parses the records of one dataclass.

    ``upgrades``: the first makes version 2 of the parsed JSON of version 1, and so on. Content without ``v`` is
    version 1, the form of release 0.1.0. ``is_secret``: errors name the wrong fields and quote nothing.
    """

    def __init__(
        self,
        of: type[_Value],
        name: str,
        upgrades: Sequence[Callable[[Any], Any]] = (),
        *,
        omits_defaults: bool = False,
        is_secret: bool = False,
    ) -> None:
        self._adapter = TypeAdapter(of)
        self._name = name
        self._upgrades = upgrades
        self._omits_defaults = omits_defaults
        self._is_secret = is_secret
        self._end = b',"v":%d}' % (len(upgrades) + 1)

    def render(self, value: _Value) -> bytes:
        """One line of JSON, its members in the order of the declaration."""
        return (
            self._adapter.dump_json(value, by_alias=True, exclude_defaults=self._omits_defaults)[:-1]
            + self._end
        )

    def parse(self, content: bytes) -> _Value:
        """Read a record of this or any other version. Raises :class:`InvalidRecord` if it cannot be decoded."""
        try:
            if not self._upgrades or content.endswith(self._end):
                return self._adapter.validate_json(content)
            return self._adapter.validate_python(self._upgrade(orjson.loads(content)))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRecord(f"{self._name}: {self._complaint(content, error)}") from None

    def parse_if_sound(self, content: bytes) -> _Value | None:
        """None if it cannot be decoded: for records of which one must not hide or stop all others."""
        try:
            return self.parse(content)
        except InvalidRecord:
            return None

    def _upgrade(self, fields: Any) -> Any:
        version = fields.get("v", 1) if isinstance(fields, dict) else 1
        for upgrade in self._upgrades[version - 1 :]:
            fields = upgrade(fields)
        return fields

    def _complaint(self, content: bytes, error: Exception) -> str:
        if self._is_secret:
            return f"cannot be decoded: {name_fields(error)}"
        return f"{content[:60]!r} … cannot be decoded: {explain(error)}"
