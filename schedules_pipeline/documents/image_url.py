"""Addresses of images; the pipeline neither stores nor fetches images."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

_PLACE = "{image_pid}"


def render_image_url(template: str, image_pid: str) -> str:
    """The template with the pid in its place; "" without a template or an image."""
    return template.replace(_PLACE, quote(image_pid, safe="", errors="replace")) if image_pid else ""


def parse_image_url(template: str, url: str) -> str:
    """The pid of an address that :func:`render_image_url` has made; "" for any other."""
    before, place, after = template.partition(_PLACE)
    if not place or len(url) <= len(before) + len(after):
        return ""
    pid = unquote(url[len(before) : len(url) - len(after)])
    return pid if render_image_url(template, pid) == url else ""


@lru_cache(8)
def image_size(template: str) -> dict[str, str]:
    """``width`` and ``height`` in pixels, where the template has one segment such as ``640x360``; else nothing."""
    found = re.findall(r"(?<=/)([1-9]\d{1,4})x([1-9]\d{1,4})(?=/)", template, re.ASCII)
    return {"width": found[0][0], "height": found[0][1]} if len(found) == 1 else {}
