"""The HTTP service that partners read. Only ``application``, ``routes`` and ``__main__`` know the web framework."""
