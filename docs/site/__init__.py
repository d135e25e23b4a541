"""Builds the documentation site: ``python -m docs.site``.

Belongs here: collecting the pages, the pages and tables that come from code, rendering, and the check of every link.
Does not belong here: text. Pages are Markdown files that also read well in the repository.
"""
