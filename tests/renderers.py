"""Whole documents of several guides, as the formats for partners join them from pieces."""

from collections.abc import Sequence

from schedules_pipeline.documents.guide_formats import JSON_FORMAT, GuidePolicy, guide_formats
from schedules_pipeline.documents.tv_anytime import GuideNaming
from schedules_pipeline.domain.service_guide import ServiceGuide


def render_guide_format(
    name: str, guides: Sequence[ServiceGuide], *, domain: str = "", image_url_template: str = ""
) -> bytes:
    policy = GuidePolicy(domain, GuideNaming("schedules.example", "2024", "en"), image_url_template)
    return next(each for each in guide_formats(policy) if each.name == name).render(guides)


def render_xmltv(guides: Sequence[ServiceGuide], *, domain: str, image_url_template: str = "") -> bytes:
    return render_guide_format("xmltv", guides, domain=domain, image_url_template=image_url_template)


def render_catalogue_schedules(guides: Sequence[ServiceGuide]) -> bytes:
    return render_guide_format("catalogue", guides)


def render_guides(guides: Sequence[ServiceGuide]) -> bytes:
    return JSON_FORMAT.render(guides)
