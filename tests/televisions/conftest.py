"""What the players that run as a whole are shown."""

import pytest
from televisions.watching import Watched


@pytest.fixture
def watched() -> Watched:
    """With one version published."""
    watched = Watched()
    watched.publish("The Lantern")
    return watched
