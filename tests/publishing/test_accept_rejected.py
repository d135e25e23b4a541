"""Accepting a shrunken document: exactly the proposed document is accepted."""

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


def test_a_proposal_lists_the_lost_broadcasts() -> None:
    """It lists the published broadcasts that the document lacks, and changes nothing."""
    stage = _stage()

    proposal = _documents(stage).propose(KEY)

    assert (proposal.held_count, proposal.new_count) == (4, 1)
    assert [lost["broadcast_pid"] for lost in proposal.lost] == [
        s.broadcast_pid for s in schedule_put(KEY).slots[1:]
    ]
    assert {lost["title"] for lost in proposal.lost} == {"Harbour Lights"}
    assert _seq(stage) == 1


def test_an_accepted_document_is_published() -> None:
    """The confirmed document is published at once, and its rejection ends."""
    stage = _stage()

    batch = _documents(stage).accept(_documents(stage).propose(KEY), _cause(stage))

    assert [built.outcome for built in batch.built] == [Outcome.PUBLISHED]
    assert stage.store.rejections.all() == {}
    assert _seq(stage) == 2


def test_an_empty_document_can_be_accepted() -> None:
    """An operator may accept a document without broadcasts."""
    stage = _stage()
    stage.happen(ShrunkenSchedulePut(KEY, ()))

    batch = _documents(stage).accept(_documents(stage).propose(KEY), _cause(stage))

    assert [built.change.broadcasts for built in batch.built] == [0]


def test_a_confirmation_covers_only_these_broadcasts() -> None:
    """If the source has other broadcasts by the time of the confirmation, nothing is accepted."""
    stage = _stage()
    proposal = _documents(stage).propose(KEY)
    ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[3].broadcast_pid, EPISODE),)).write(
        stage.upstreams
    )

    with pytest.raises(CannotBeAccepted, match="the source has another document by now"):
        _documents(stage).accept(proposal, _cause(stage))

    assert _seq(stage) == 1


def test_a_confirmation_does_not_outlast_another_document() -> None:
    """After another shrunken document is rejected, an earlier confirmation has no effect."""
    stage = _stage()
    rejection = _documents(stage).propose(KEY).rejection
    stage.store.rejections.keep({str(KEY): rejection})

    stage.happen(ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[3].broadcast_pid, EPISODE),)))

    assert stage.store.rejections.all()[str(KEY)].confirmed_digest == ""
    assert _seq(stage) == 1


def test_an_invalid_document_cannot_be_accepted() -> None:
    """The owner of an invalid document must put another one."""
    stage = _stage()
    stage.happen(InvalidSchedulePut(KEY))

    with pytest.raises(CannotBeAccepted, match="is invalid"):
        _documents(stage).propose(KEY)


def test_a_document_that_became_acceptable_needs_no_confirmation() -> None:
    """If the source has a full document whose notification is late, a rebuild is enough."""
    stage = _stage()
    schedule_put(KEY).write(stage.upstreams)

    with pytest.raises(CannotBeAccepted, match="acceptable now; rebuild it"):
        _documents(stage).propose(KEY)


def test_a_removed_document_cannot_be_accepted() -> None:
    """Without a document in the source the schedule will be removed."""
    stage = _stage()
    stage.upstreams.schedule_source.remove(KEY)

    with pytest.raises(CannotBeAccepted, match="no document any more"):
        _documents(stage).propose(KEY)


def test_a_schedule_without_rejection_cannot_be_accepted() -> None:
    """There is no document to confirm."""
    stage = _stage()

    with pytest.raises(CannotBeAccepted, match="it has no rejected document"):
        _documents(stage).propose(TOMORROW)


def test_an_outage_of_the_source_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of the bucket is a service error."""
    stage = _stage()
    error = ServiceError("the bucket is away")
    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", lambda keys: dict.fromkeys(keys, error))

    with pytest.raises(ServiceError, match="the bucket is away"):
        _documents(stage).propose(KEY)


def test_a_build_that_overtakes_the_confirmation_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another build rejects the document at the same moment, the operator must accept it again."""
    stage = _stage()
    rejection = _documents(stage).propose(KEY).rejection
    keep = stage.store.rejections.keep

    def keep_and_be_overtaken(rejections: object) -> None:
        keep({str(KEY): rejection})

    proposal = _documents(stage).propose(KEY)
    monkeypatch.setattr(stage.store.rejections, "keep", keep_and_be_overtaken)

    with pytest.raises(CannotBeAccepted, match="accept it again"):
        _documents(stage).accept(proposal, _cause(stage))
