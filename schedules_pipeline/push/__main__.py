"""``python -m schedules_pipeline.push``: pushes changes to every subscription until it is stopped."""

from schedules_pipeline.push.service import main

if __name__ == "__main__":
    main()
