"""Whether the pipeline or the old system serves partners, by the operators' switch record."""

from schedules_pipeline.migration.ports import NEVER_SWITCHED, ServedSource, ServedSourceStore
from schedules_pipeline.partners.partner import Partner


class SwitchState:
    """Remembers the record for the time when the store does not answer. Until it is read, partners are not served."""

    def __init__(self) -> None:
        self.current = NEVER_SWITCHED

    def refresh(self, store: ServedSourceStore) -> None:
        """Read the record. Blocking."""
        self.current = store.current()

    def serves(self, partner: Partner) -> bool:
        """Always true for operators and partners on trial, so that both can check the service before the switch."""
        return partner.is_preview or partner.is_operator or self.current.source is ServedSource.OURS
