"""The formats that schedules are offered in: how each is called in paths and in ``Accept``, and what renders it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from schedules_pipeline.delivery.negotiation import choose_media_type
from schedules_pipeline.delivery.problems import NOT_ACCEPTABLE, NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import validator_of
from schedules_pipeline.documents.catalogue_schedule import render_catalogue_schedules
from schedules_pipeline.documents.guide_json import render_guides
from schedules_pipeline.documents.tv_anytime import GuideNaming, render_tv_anytime
from schedules_pipeline.documents.xmltv import render_xmltv
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.settings import Settings

JSON = "json"
_JSON_TYPE, _XML_TYPE = "application/json", "application/xml"


@dataclass(frozen=True, slots=True)
class Offer:
    """``name`` stands behind the first full stop of a path. ``media_type`` is what is answered with; ``asked_by`` are
    the types that it is chosen by, no two offers by the same. ``revision`` is another where the same guides give
    other bytes. ``is_of_utc_days``: the format knows no other days, and shows a broadcast in each that it runs in.
    """

    name: str
    media_type: str
    asked_by: tuple[str, ...]
    render: Callable[[Sequence[ServiceGuide]], bytes]
    revision: str
    is_of_utc_days: bool = False


JSON_OFFER = Offer(JSON, _JSON_TYPE, (_JSON_TYPE, "application/vnd.schedules.v1+json"), render_guides, "1")


@dataclass(frozen=True, slots=True)
class Offers:
    """In the order in which they are preferred; JSON is the first."""

    offers: Sequence[Offer] = (JSON_OFFER,)

    def choose(self, name: str, accept: str) -> Offer:
        """By the name in the path, else by what is accepted. Raises :class:`Problem` where there is none such."""
        if name:
            return self._named(name)
        media_types = [media_type for offer in self.offers for media_type in offer.asked_by]
        chosen = choose_media_type(accept, media_types)
        for offer in self.offers:
            if chosen in offer.asked_by:
                return offer
        raise Problem(NOT_ACCEPTABLE, f"There is {', '.join(media_types)}.", {"offered": media_types})

    def _named(self, name: str) -> Offer:
        for offer in self.offers:
            if offer.name == name:
                return offer
        names = ", ".join(offer.name for offer in self.offers)
        raise Problem(NOT_FOUND, f"There is no format {name[:40]!r}; there is {names}.")


def offers_from(settings: Settings) -> Offers:
    """Every format, by what the settings say of names and images."""
    return Offers((JSON_OFFER, _xmltv(settings), _tv_anytime(settings), _catalogue()))


def _xmltv(settings: Settings) -> Offer:
    domain, images = settings.xmltv_domain, settings.image_url_template
    render = partial(render_xmltv, domain=domain, image_url_template=images)
    asked_by = ("application/vnd.schedules.xmltv+xml", _XML_TYPE, "text/xml")
    return Offer("xmltv", _XML_TYPE, asked_by, render, validator_of(1, domain, images))


def _tv_anytime(settings: Settings) -> Offer:
    naming = GuideNaming(settings.crid_authority, settings.tag_date, settings.content_language)
    images = settings.image_url_template
    render = partial(render_tv_anytime, naming=naming, image_url_template=images)
    asked_by = ("application/vnd.schedules.tva+xml",)
    return Offer("tva", _XML_TYPE, asked_by, render, validator_of(1, naming, images))


def _catalogue() -> Offer:
    asked_by = ("application/vnd.schedules.catalogue+xml",)
    return Offer("catalogue", _XML_TYPE, asked_by, render_catalogue_schedules, "1", is_of_utc_days=True)
