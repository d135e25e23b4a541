"""Addresses of images: made of a template and a pid, and known again."""

from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.image_url import parse_image_url, render_image_url

_TEMPLATE = "https://images.example/{image_pid}/320.jpg?a=b"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_address_that_we_make_is_known_again(image_pid: str) -> None:
    """Any image pid of the upstream."""
    assert parse_image_url(_TEMPLATE, render_image_url(_TEMPLATE, image_pid)) == image_pid


@given(st.text(max_size=20))
def test_what_an_image_is_called_stays_in_its_place(image_pid: str) -> None:
    """It neither begins a query nor ends the path."""
    url = render_image_url(_TEMPLATE, f"{image_pid}/../?#&")

    assert url.startswith("https://images.example/")
    assert (url.count("/"), url.count("?"), url.count("#"), url.isascii()) == (4, 1, 0, True)


def test_there_is_no_address_without_an_image_or_a_template() -> None:
    """Any other address belongs to no image of the upstream."""
    assert (render_image_url(_TEMPLATE, ""), render_image_url("", "p0000001")) == ("", "")
    assert parse_image_url("", "https://images.example/p0000001") == ""
    assert parse_image_url(_TEMPLATE, "https://elsewhere.example/p0000001/320.jpg?a=b") == ""
    assert parse_image_url(_TEMPLATE, "https://images.example/a b/320.jpg?a=b") == ""
    assert parse_image_url(_TEMPLATE, "https://images.example//320.jpg?a=b") == ""
