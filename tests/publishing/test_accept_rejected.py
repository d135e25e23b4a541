"""Accepting a shrunken document: what the operator is shown is what is accepted, and nothing else."""

import pytest
from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import InvalidSchedulePut, ItemPut, ShrunkenSchedulePut, Slot

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.accept_rejected import CannotBeAccepted, RejectedDocuments
from schedules_pipeline.publishing.ports.schedules import Outcome


def _shrunken(slots: int = 1) -> ShrunkenSchedulePut:
    return ShrunkenSchedulePut(KEY, schedule_put(KEY).slots[:slots])


def _stage() -> Stage:
    stage = Stage()
    stage.happen(ItemPut(BRAND, "Harbour Lights"), ItemPut(EPISODE, "Low Tide", BRAND))
    stage.happen(schedule_put(KEY))
    stage.happen(_shrunken())
    return stage


def _documents(stage: Stage) -> RejectedDocuments:
    return stage.pipeline.rejected_documents


def _cause(stage: Stage) -> Cause:
    return Cause("operator-1", Origin.OPERATOR, str(KEY), stage.clock())


def _seq(stage: Stage) -> int:
    return stage.store.schedules.read([KEY])[KEY].seq


def test_a_proposal_says_what_would_be_lost() -> None:
    """The operator is shown the broadcasts that the document lacks, as partners see them; nothing changes."""
    stage = _stage()

    proposal = _documents(stage).propose(KEY)

    assert (proposal.held_count, proposal.new_count) == (4, 1)
    assert [lost["broadcast_pid"] for lost in proposal.lost] == [
        s.broadcast_pid for s in schedule_put(KEY).slots[1:]
    ]
    assert {lost["title"] for lost in proposal.lost} == {"Harbour Lights"}
    assert _seq(stage) == 1


def test_what_is_accepted_is_published() -> None:
    """The confirmed document is published at once and the refusal is over."""
    stage = _stage()

    batch = _documents(stage).accept(_documents(stage).propose(KEY), _cause(stage))

    assert [built.outcome for built in batch.built] == [Outcome.PUBLISHED]
    assert stage.store.rejections.all() == {}
    assert _seq(stage) == 2


def test_an_empty_document_can_be_accepted() -> None:
    """Also no broadcasts at all, where an operator agrees."""
    stage = _stage()
    stage.happen(ShrunkenSchedulePut(KEY, ()))

    batch = _documents(stage).accept(_documents(stage).propose(KEY), _cause(stage))

    assert [built.change.broadcasts for built in batch.built] == [0]


def test_a_confirmation_is_of_these_broadcasts_alone() -> None:
    """Where the source has other broadcasts by the time of the yes, nothing is accepted."""
    stage = _stage()
    proposal = _documents(stage).propose(KEY)
    ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[3].broadcast_pid, EPISODE),)).write(
        stage.upstreams
    )

    with pytest.raises(CannotBeAccepted, match="the source has another document by now"):
        _documents(stage).accept(proposal, _cause(stage))

    assert _seq(stage) == 1


def test_a_confirmation_does_not_outlast_another_document() -> None:
    """Once another shrunken document was refused, an earlier confirmation accepts nothing any more."""
    stage = _stage()
    rejection = _documents(stage).propose(KEY).rejection
    stage.store.rejections.keep({str(KEY): rejection})

    stage.happen(ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[3].broadcast_pid, EPISODE),)))

    assert stage.store.rejections.all()[str(KEY)].confirmed_digest == ""
    assert _seq(stage) == 1


def test_an_invalid_document_cannot_be_accepted() -> None:
    """A document that does not validate is its owner's to mend."""
    stage = _stage()
    stage.happen(InvalidSchedulePut(KEY))

    with pytest.raises(CannotBeAccepted, match="is invalid"):
        _documents(stage).propose(KEY)


def test_a_document_that_became_acceptable_needs_no_confirmation() -> None:
    """A proper document in the source, whose notification is still on its way, only has to be built."""
    stage = _stage()
    schedule_put(KEY).write(stage.upstreams)

    with pytest.raises(CannotBeAccepted, match="acceptable now; rebuild it"):
        _documents(stage).propose(KEY)


def test_a_document_that_is_gone_cannot_be_accepted() -> None:
    """A document that the source no longer has is a removal on its way."""
    stage = _stage()
    stage.upstreams.schedule_source.remove(KEY)

    with pytest.raises(CannotBeAccepted, match="no document any more"):
        _documents(stage).propose(KEY)


def test_nothing_is_rejected_of_another_schedule() -> None:
    """A schedule of which nothing is refused has nothing to accept."""
    stage = _stage()

    with pytest.raises(CannotBeAccepted, match="it has no rejected document"):
        _documents(stage).propose(TOMORROW)


def test_a_source_that_does_not_answer_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of the bucket is no judgement of the document."""
    stage = _stage()
    error = ServiceError("the bucket is away")
    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", lambda keys: dict.fromkeys(keys, error))

    with pytest.raises(ServiceError, match="the bucket is away"):
        _documents(stage).propose(KEY)


def test_a_build_that_overtakes_the_confirmation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another build refuses the document at the same moment, the operator is told to accept it again."""
    stage = _stage()
    rejection = _documents(stage).propose(KEY).rejection
    keep = stage.store.rejections.keep

    def keep_and_be_overtaken(rejections: object) -> None:
        keep({str(KEY): rejection})

    proposal = _documents(stage).propose(KEY)
    monkeypatch.setattr(stage.store.rejections, "keep", keep_and_be_overtaken)

    with pytest.raises(CannotBeAccepted, match="accept it again"):
        _documents(stage).accept(proposal, _cause(stage))
