"""``partners link`` and ``sign-out``: sessions of the programme guide."""

from cli_stage import Stage

from schedules_pipeline.partners.sign_in import token_digest

_LINK = ("partners", "link", "acme", "--address", "https://guide.example.org/", "--minutes", 5)


def test_a_link_is_printed_and_its_token_not_stored(stage: Stage) -> None:
    """It asks, and works for the stated time."""
    stage.run("partners", "create", "acme")

    page, _, token = stage.run_for_json(*_LINK)["link"].partition("#link=")

    stored = stage.store.sign_ins.link(token_digest(token) or "")
    assert page == "https://guide.example.org/sign-in"
    assert stored is not None
    assert (stored.partner, stored.asks) == ("acme", True)


def test_a_link_needs_a_partner(stage: Stage) -> None:
    """An unknown name is an error."""
    assert stage.run(*_LINK).exit_code != 0


def test_signing_out_and_removal_end_links(stage: Stage) -> None:
    """All of the partner."""
    stage.run("partners", "create", "acme")
    tokens = [stage.run_for_json(*_LINK)["link"].partition("#link=")[2] for _ in range(2)]

    ended = stage.run_for_json("partners", "sign-out", "acme")["ended"]
    tokens.append(stage.run_for_json(*_LINK)["link"].partition("#link=")[2])
    stage.run("partners", "remove", "acme", "--yes")

    assert ended == 2
    assert [stage.store.sign_ins.link(token_digest(token) or "") for token in tokens] == [None] * 3
