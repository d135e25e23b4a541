"""The programme guide to look at: what its pages show, as values, and the pages as bytes. No web framework."""
