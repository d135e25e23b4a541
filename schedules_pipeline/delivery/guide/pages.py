"""The guide's pages as bytes: templates, and the static files that they refer to.

Templates escape every text, and control characters, which HTML does not allow, are replaced visibly. Pages load
nothing from other sites and contain no inline style or script, so their content security policy forbids both.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from schedules_pipeline.delivery.guide.broadcasts import fingerprint, kind_of, synopsis_of, title_of
from schedules_pipeline.delivery.guide.times import clock, clock_on, format_moment, format_seconds, long_date
from schedules_pipeline.delivery.packing import Packed, pack
from schedules_pipeline.delivery.representations import validator_of
from schedules_pipeline.documents.image_url import render_image_url
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.domain.service_names import ServiceNames
from schedules_pipeline.publishing.ports.expectations import Measure

MEDIA_TYPE: Final = "text/html; charset=utf-8"

_PACKAGE = "schedules_pipeline.delivery.guide"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_CODE = re.compile(r"`([^`]+)`")
_SHORT_CHARACTERS = 120
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A static file. ``version`` differs whenever the bytes differ."""

    packed: Packed
    media_type: str
    version: str


class Pages:
    """The templates and files of this package, read when it is made."""

    def __init__(self, names: ServiceNames, zone: ZoneInfo, image_url_template: str) -> None:
        """``zone``: of the times on the pages. ``image_url_template``: "" for pages without images."""
        self._made_of = tuple(sorted(names.mapping.items())), zone, image_url_template
        self.zone = zone
        self.assets = read_assets()
        versions = (asset.version for asset in self.assets.values())
        self.version = validator_of(*versions, names, zone, image_url_template)
        self._environment = environment = Environment(
            loader=PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalize,
        )
        environment.globals |= {
            "asset": self._address_of,
            "fingerprint": fingerprint,
            "kind_of": kind_of,
            "name_of": names.of,
            "synopsis_of": synopsis_of,
            "title_of": title_of,
        }
        environment.filters |= {
            "coded": coded,
            "clock": lambda at: clock(at, zone),
            "clock_on": lambda at, on: clock_on(at, on, zone),
            "clock_seconds": lambda at: f"{at.astimezone(zone):%H:%M:%S}",
            "image_url": lambda image_pid: render_image_url(image_url_template, image_pid),
            "local_date": lambda at: at.astimezone(zone).date(),
            "long_date": long_date,
            "measured": format_measure,
            "moment": lambda at: format_moment(at, zone),
            "seconds": format_seconds,
            "shorten": lambda value: shorten(str(value), _SHORT_CHARACTERS),
        }

    def __reduce__(self) -> tuple[object, ...]:
        """Templates cannot be pickled; each process reads them once."""
        return _pages_of_process, self._made_of

    def render(self, template: str, **values: Any) -> bytes:
        return self._environment.get_template(template).render(values).encode("utf-8", "backslashreplace")

    def _address_of(self, name: str) -> str:
        """With the version in it, so that browsers may cache the file forever."""
        return f"/static/{name}?v={self.assets[name].version}"


@lru_cache(1)
def _pages_of_process(names: tuple[tuple[str, str], ...], zone: ZoneInfo, image_url_template: str) -> Pages:
    return Pages(ServiceNames(dict(names)), zone, image_url_template)


def partition_address(dagster_url: str, key: ScheduleKey) -> str:
    """The address of a schedule's partition in Dagster; "" without Dagster's address."""
    partition = urlencode({"view": "partitions", "partition": f"{key.date}|{key.sid}"})
    return f"{dagster_url.rstrip('/')}/assets/partner_schedule?{partition}" if dagster_url else ""


def format_measure(value: float, measure: Measure) -> str:
    """A share as a percentage, a number without needless digits."""
    is_share = measure in (Measure.REPEATS, Measure.UNKNOWN)
    return f"{100 * value:.0f} %" if is_share else f"{value:.1f}".removesuffix(".0")


def security_headers(image_url_template: str) -> dict[str, str]:
    """For every page. Images are allowed from the origin of the template only."""
    parts = urlsplit(image_url_template)
    pictures = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self'{pictures}",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def coded(text: str) -> Markup:
    """What stands between backticks becomes code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(_finalize(text)))))  # noqa: S704 - escaped before


def _finalize(value: Any) -> Any:
    """Replaces characters that HTML does not allow by U+FFFD."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def read_assets() -> dict[str, Asset]:
    """The static files by name."""
    found = {}
    for file in (files(_PACKAGE) / "static").iterdir():
        content = file.read_bytes()
        media_type = _MEDIA_TYPES[file.name.rpartition(".")[2]]
        found[file.name] = Asset(pack(content), media_type, blake2b(content, digest_size=6).hexdigest())
    return found
