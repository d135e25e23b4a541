"""The service that partners read. Framework-free but for ``application``, ``routes`` and ``__main__``."""
