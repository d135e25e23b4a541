"""``python -m schedules_pipeline.delivery.pusher``: the former name of ``python -m schedules_pipeline.push``."""

import warnings

from schedules_pipeline.push.__main__ import main

if __name__ == "__main__":
    warnings.warn("use python -m schedules_pipeline.push instead", FutureWarning, stacklevel=1)
    main()
