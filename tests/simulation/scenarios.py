"""What may happen while a worker is stopped: short sequences in which one step at the wrong time does harm."""

from simulation.interruption import (
    CATALOGUE,
    COLDSTART_RUN,
    COLLECTOR,
    PUBLISHER,
    RECONCILER,
    SCHEDULES,
    SECOND_CATALOGUE,
    SECOND_PUBLISHER,
    Fate,
    Scenario,
)
from toy_world import (
    BRANDS,
    BROADCASTS,
    EPISODES,
    KEYS,
    SERIES,
    ColdstartDue,
    CollectionDue,
    CopiesAged,
    HorizonMoves,
    InvalidSchedulePut,
    ItemAnnouncedAgain,
    ItemPut,
    Late,
    ReconcileDue,
    SchedulePut,
    ScheduleRemoved,
    Slot,
    StateLost,
    Unannounced,
    UnusableBroadcastPut,
)

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

_EPISODE, _OTHER, _SERIES, _BRAND = *EPISODES[:2], SERIES[0], BRANDS[0]
_KEY, _NEIGHBOUR = KEYS[:2]


def _shows(episode: Pid | None, key: ScheduleKey = _KEY, minutes: int = 0) -> SchedulePut:
    return SchedulePut(key, (Slot(BROADCASTS[0], episode), Slot(BROADCASTS[1], None)), minutes)


def _item(pid: Pid, title: str, parent: Pid | None = None) -> ItemPut:
    return ItemPut(pid, title, parent)


_SHOWN = (_item(_EPISODE, "0"), _shows(_EPISODE))

_REJECTED = InvalidSchedulePut(_KEY)
_IN_QUARANTINE = UnusableBroadcastPut(_KEY, (Slot(BROADCASTS[0], _EPISODE), Slot(BROADCASTS[1], None)))

_PAST_THE_HORIZON = (HorizonMoves(_NEIGHBOUR.date), CollectionDue())

SCENARIOS = (
    Scenario("item changes", CATALOGUE, _SHOWN, [_item(_EPISODE, "1")]),
    Scenario("item changes again", CATALOGUE, _SHOWN, [_item(_EPISODE, "1")], [_item(_EPISODE, "2")]),
    Scenario("item changes back", CATALOGUE, _SHOWN, [_item(_EPISODE, "1")], [_item(_EPISODE, "0")]),
    Scenario(
        "item changes at last", CATALOGUE, _SHOWN, [ItemAnnouncedAgain(_EPISODE)], [_item(_EPISODE, "1")]
    ),
    Scenario(
        "item is shown again",
        CATALOGUE,
        [*_SHOWN, _shows(None)],
        [_item(_EPISODE, "1")],
        [_shows(_EPISODE)],
    ),
    Scenario("first document", SCHEDULES, [], [_item(_EPISODE, "0"), _shows(_EPISODE)]),
    Scenario("next document", SCHEDULES, _SHOWN, [_shows(_OTHER)], [_shows(None)]),
    Scenario("document is built", PUBLISHER, _SHOWN, [_shows(_OTHER)]),
    Scenario("changed item is built", PUBLISHER, _SHOWN, [_item(_EPISODE, "1")]),
    Scenario(
        "two documents are built in one batch",
        PUBLISHER,
        [*_SHOWN, _shows(_EPISODE, _NEIGHBOUR)],
        [_item(_EPISODE, "1")],
        fates=[Fate.FAILS],
    ),
    Scenario(
        "document changes while it is built",
        PUBLISHER,
        _SHOWN,
        [_shows(_OTHER)],
        [_shows(None)],
        at_last=[_item(_OTHER, "1")],
    ),
    Scenario(
        "document changes back while it is built",
        PUBLISHER,
        _SHOWN,
        [_shows(_OTHER)],
        [_shows(_EPISODE)],
        at_last=[_item(_EPISODE, "1")],
    ),
    Scenario(
        "document goes and comes",
        PUBLISHER,
        _SHOWN,
        [ScheduleRemoved(_KEY)],
        [_shows(_EPISODE)],
        at_last=[_item(_EPISODE, "1")],
    ),
    Scenario(
        "known item changes while a schedule begins to show it",
        PUBLISHER,
        [_item(_EPISODE, "0"), _shows(_EPISODE, _NEIGHBOUR), _shows(None)],
        [_shows(_EPISODE)],
        [_item(_EPISODE, "1")],
    ),
    Scenario(
        "known parent changes while an episode moves below it",
        PUBLISHER,
        [
            _item(_SERIES, "0"),
            _item(_EPISODE, "0", _SERIES),
            _shows(_EPISODE, _NEIGHBOUR),
            _item(_OTHER, "0"),
            _shows(_OTHER),
        ],
        [_item(_OTHER, "0", _SERIES)],
        [_item(_SERIES, "1", _BRAND)],
    ),
    Scenario("missing item arrives", PUBLISHER, [_shows(None)], [_shows(_EPISODE)], [_item(_EPISODE, "0")]),
    Scenario(
        "missing item arrives with another schedule",
        PUBLISHER,
        [_shows(None)],
        [_shows(_EPISODE)],
        [Unannounced(_item(_EPISODE, "0")), _shows(_EPISODE, _NEIGHBOUR)],
        at_last=[ItemAnnouncedAgain(_EPISODE)],
    ),
    Scenario(
        "item changes while it is inserted",
        PUBLISHER,
        [_item(_EPISODE, "0"), _shows(None)],
        [_shows(_EPISODE)],
        [_item(_EPISODE, "1")],
    ),
    Scenario(
        "item changes while it is inserted for nobody",
        PUBLISHER,
        [_shows(_EPISODE)],
        [Unannounced(_item(_EPISODE, "0")), _shows(_EPISODE, minutes=5)],
        [_shows(None)],
        later=[_item(_EPISODE, "1")],
        at_last=[_shows(_EPISODE, _NEIGHBOUR)],
    ),
    Scenario(
        "two follow one item",
        CATALOGUE,
        _SHOWN,
        [_item(_EPISODE, "1")],
        [_item(_EPISODE, "2")],
        accomplice=SECOND_CATALOGUE,
    ),
    Scenario(
        "two build one schedule",
        PUBLISHER,
        [_shows(None)],
        [_shows(None, minutes=5)],
        [_shows(None, minutes=10)],
        accomplice=SECOND_PUBLISHER,
    ),
    Scenario(
        "two build one schedule that changes back",
        PUBLISHER,
        _SHOWN,
        [_shows(_OTHER)],
        later=[_shows(_EPISODE)],
        accomplice=SECOND_PUBLISHER,
    ),
    Scenario(
        "copy is used again while it is collected",
        COLLECTOR,
        [*_SHOWN, _shows(None)],
        [CollectionDue()],
        [_shows(_EPISODE)],
        at_last=[
            Unannounced(_item(_EPISODE, "1")),
            _shows(_EPISODE, _NEIGHBOUR),
            Late(ItemAnnouncedAgain(_EPISODE)),
        ],
    ),
    Scenario(
        "entry is registered while entries are collected",
        COLLECTOR,
        [_item(_EPISODE, "0"), _shows(None)],
        [CollectionDue()],
        [_shows(_EPISODE)],
        at_last=[_item(_EPISODE, "1")],
    ),
    Scenario(
        "copy is collected while its item is followed",
        CATALOGUE,
        _SHOWN,
        [_item(_EPISODE, "1")],
        [_item(_EPISODE, "2"), _shows(None), CollectionDue()],
        at_last=[_shows(_EPISODE)],
    ),
    Scenario(
        "everything is collected while a document is built",
        PUBLISHER,
        [*_SHOWN, _shows(None)],
        [_shows(_EPISODE)],
        [CollectionDue()],
        at_last=[_item(_EPISODE, "1")],
    ),
    Scenario(
        "schedule passes the horizon",
        COLLECTOR,
        _SHOWN,
        [HorizonMoves(_NEIGHBOUR.date), CollectionDue()],
        [_item(_EPISODE, "1")],
    ),
    Scenario(
        "schedule comes back while it is forgotten",
        COLLECTOR,
        [*_SHOWN, *_PAST_THE_HORIZON],
        [CollectionDue()],
        [HorizonMoves(_KEY.date), _shows(_EPISODE)],
        at_last=[_item(_EPISODE, "1")],
    ),
    Scenario(
        "schedule is announced while it is forgotten",
        COLLECTOR,
        [*_SHOWN, *_PAST_THE_HORIZON],
        [CollectionDue()],
        [HorizonMoves(_KEY.date), _shows(_EPISODE)],
        accomplice=SCHEDULES,
    ),
    Scenario(
        "state is lost",
        RECONCILER,
        _SHOWN,
        [StateLost(_KEY), ReconcileDue()],
        in_the_end=[ReconcileDue()],
    ),
    Scenario(
        "document changes after the state was lost",
        RECONCILER,
        _SHOWN,
        [StateLost(_KEY), ReconcileDue()],
        [_shows(_OTHER)],
        in_the_end=[ReconcileDue()],
    ),
    Scenario(
        "item changes unannounced while it is inserted, and everything is coldstarted",
        PUBLISHER,
        [_item(_EPISODE, "0"), _shows(None), _shows(None, _NEIGHBOUR)],
        [_shows(_EPISODE)],
        [_shows(None), Unannounced(_item(_EPISODE, "1")), ColdstartDue()],
        at_last=[_shows(_EPISODE, _NEIGHBOUR)],
    ),
    Scenario(
        "item changes unannounced while no schedule shows it, and everything is coldstarted",
        COLDSTART_RUN,
        [*_SHOWN, _shows(None)],
        [Unannounced(_item(_EPISODE, "1")), ColdstartDue()],
        at_last=[_shows(_EPISODE)],
    ),
    Scenario(
        "document changes unannounced, and everything is coldstarted",
        COLDSTART_RUN,
        _SHOWN,
        [Unannounced(_shows(_OTHER)), ColdstartDue()],
        [_item(_OTHER, "1")],
    ),
    Scenario(
        "everything is reconciled while a document is built",
        PUBLISHER,
        _SHOWN,
        [_shows(_OTHER)],
        [ReconcileDue()],
        at_last=[_item(_OTHER, "1")],
    ),
    Scenario(
        "item changes while a copy of an older release is reread",
        PUBLISHER,
        [*_SHOWN, CopiesAged()],
        [_shows(_EPISODE, minutes=5)],
        [_item(_EPISODE, "1")],
    ),
    Scenario(
        "item changes unannounced before a copy of an older release is reread",
        PUBLISHER,
        [*_SHOWN, _shows(_EPISODE, _NEIGHBOUR), CopiesAged(), Unannounced(_item(_EPISODE, "1"))],
        [_shows(_EPISODE, minutes=5)],
    ),
    Scenario(
        "item changes and changes back while a copy of an older release is followed",
        CATALOGUE,
        [*_SHOWN, CopiesAged()],
        [ItemAnnouncedAgain(_EPISODE)],
        [ItemAnnouncedAgain(_EPISODE)],
        later=[Unannounced(_item(_EPISODE, "1"))],
        at_last=[_item(_EPISODE, "0")],
        accomplice=SECOND_CATALOGUE,
    ),
    Scenario("document is put right", PUBLISHER, [*_SHOWN, _REJECTED], [_shows(_OTHER)]),
    Scenario("document is put right while it is rejected", PUBLISHER, _SHOWN, [_REJECTED], [_shows(_OTHER)]),
    Scenario(
        "document is rejected while it is put right",
        PUBLISHER,
        [*_SHOWN, _REJECTED],
        [_shows(_OTHER)],
        [_REJECTED],
        troubled=True,
    ),
    Scenario("broadcast is put right", PUBLISHER, [*_SHOWN, _IN_QUARANTINE], [_shows(_OTHER)]),
    Scenario(
        "broadcast is put right while in quarantine", PUBLISHER, _SHOWN, [_IN_QUARANTINE], [_shows(_OTHER)]
    ),
    Scenario(
        "broadcast is quarantined while it is put right",
        PUBLISHER,
        [*_SHOWN, _IN_QUARANTINE],
        [_shows(_OTHER)],
        [_IN_QUARANTINE],
    ),
    Scenario("document goes with its quarantine", PUBLISHER, [], [_IN_QUARANTINE], [ScheduleRemoved(_KEY)]),
    Scenario(
        "two build one schedule that is put right",
        PUBLISHER,
        _SHOWN,
        [_IN_QUARANTINE],
        later=[_shows(_OTHER)],
        accomplice=SECOND_PUBLISHER,
    ),
    Scenario(
        "two build one schedule that is rejected",
        PUBLISHER,
        [*_SHOWN, _REJECTED],
        [_shows(_OTHER)],
        later=[_REJECTED],
        accomplice=SECOND_PUBLISHER,
        troubled=True,
    ),
)
