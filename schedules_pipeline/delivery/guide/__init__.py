"""The programme guide: the contents of its pages as values, and the pages as bytes. No web framework."""
