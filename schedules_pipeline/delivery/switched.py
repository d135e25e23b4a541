"""Whether partners are served by us or by the old system, as the operators' record says it."""

from schedules_pipeline.migration.ports.served import NEVER_SWITCHED, ServedSource, ServedSourceStore
from schedules_pipeline.partners.partner import Partner


class SwitchState:
    """Remembers the record, so that it is known while the store is away. Before it is read, nobody is served."""

    def __init__(self, book: ServedSourceStore) -> None:
        self._book = book
        self.current = NEVER_SWITCHED

    def refresh(self) -> None:
        """Read the record. Blocking."""
        self.current = self._book.current()

    def serves(self, partner: Partner) -> bool:
        """Operators and partners on trial are served in any case: that is how one looks before switching."""
        return partner.is_preview or partner.is_operator or self.current.source is ServedSource.OURS
