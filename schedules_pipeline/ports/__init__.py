"""What the workflows need from the world, in their own words: protocols and the values they exchange.

One module a counterpart. Nothing here does anything; adapters implement it, and tests bring fakes. Every
method may raise :class:`~schedules_pipeline.errors.ServiceError` where its counterpart does not answer.
"""
