"""``python -m schedules_pipeline.monitoring``: the former name of ``python -m schedules_pipeline.health``."""

import warnings

from schedules_pipeline.health.__main__ import main

if __name__ == "__main__":
    warnings.warn("use python -m schedules_pipeline.health instead", FutureWarning, stacklevel=1)
    main()
