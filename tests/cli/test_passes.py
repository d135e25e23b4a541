"""``reconcile`` and ``collect``, over a pipeline of fakes."""

import pytest
from cli_stage import KEY, Stage


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_reconcile_repairs_lost_data(published: Stage) -> None:
    """The lost document is restored and counted, and the command ends with 1."""
    published.store.schedules.kept[KEY].document = None

    document = published.run_for_json("reconcile", "--all", exit_code=1)

    assert (document["pass"], document["counts"]["differed"], document["counts"]["mended"]) == (
        "reconciliation",
        1,
        1,
    )
    assert _broadcasts(published) == 4


def test_reconcile_of_a_share(published: Stage) -> None:
    """The shares together cover all schedules; without differences the command ends with 0."""
    shares = [published.run_for_json("reconcile", "--share", f"{n}/3") for n in (1, 2, 3)]

    assert sum(share["counts"]["schedules"] for share in shares) == 2
    assert published.run_for_json("reconcile")["counts"]["schedules"] == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--all", "--share", "1/2"], "contradict each other"),
        (["--share", "3/2"], "'3/2' is no share"),
        (["--share", "half"], "'half' is no share"),
    ],
)
def test_reconcile_rejects(published: Stage, words: list[str], complaint: str) -> None:
    """--all with --share, and an invalid share, are usage errors."""
    result = published.run("reconcile", *words)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_collect_reports_its_counts(published: Stage) -> None:
    """The collection runs in this process."""
    document = published.run_for_json("collect")
    words = published.run("collect")

    assert document["pass"] == "collection"
    assert document["problem"] == ""
    assert words.stdout.startswith("collection in ")
