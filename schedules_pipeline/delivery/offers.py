"""The formats that schedules are offered in: how each is called in paths and in ``Accept``, and what renders it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from schedules_pipeline.delivery.negotiation import choose_media_type
from schedules_pipeline.delivery.problems import NOT_ACCEPTABLE, NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import validator_of
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.formats.guide_json import render_guides
from schedules_pipeline.formats.xmltv import render_xmltv
from schedules_pipeline.settings import Settings

JSON = "json"
JSON_MEDIA_TYPE = "application/vnd.schedules.v1+json"


@dataclass(frozen=True, slots=True)
class Offer:
    """``name`` stands behind the last full stop of a path. ``media_types``: the first is the one that is answered
    with; all are asked for by. ``revision`` is another where the same guides give other bytes.
    """

    name: str
    media_types: tuple[str, ...]
    render: Callable[[Sequence[ServiceGuide]], bytes]
    revision: str


JSON_OFFER = Offer(JSON, ("application/json", JSON_MEDIA_TYPE), render_guides, "1")


def offers_from(settings: Settings) -> "Offers":
    """Every format, by what the settings say of names and images."""
    xmltv = partial(
        render_xmltv, domain=settings.xmltv_domain, image_url_template=settings.image_url_template
    )
    said = validator_of(settings.xmltv_domain, settings.image_url_template)
    return Offers((JSON_OFFER, Offer("xmltv", ("application/xml", "text/xml"), xmltv, f"1.{said}")))


@dataclass(frozen=True, slots=True)
class Offers:
    """In the order in which they are preferred; JSON is the first."""

    offers: Sequence[Offer] = (JSON_OFFER,)

    def choose(self, name: str, accept: str) -> Offer:
        """By the name in the path, else by what is accepted. Raises :class:`Problem` where there is none such."""
        if name:
            return self._named(name)
        media_types = [media_type for offer in self.offers for media_type in offer.media_types]
        chosen = choose_media_type(accept, media_types)
        for offer in self.offers:
            if chosen in offer.media_types:
                return offer
        raise Problem(NOT_ACCEPTABLE, f"There is {', '.join(media_types)}.", {"offered": media_types})

    def _named(self, name: str) -> Offer:
        for offer in self.offers:
            if offer.name == name:
                return offer
        names = [offer.name for offer in self.offers]
        raise Problem(NOT_FOUND, f"There is no format {name[:40]!r}; there is {', '.join(names)}.")
