"""How often a property is tried: as often as the profile in force says (``conftest.py``). Some tests need a multiple of
it, or do with a part."""

from hypothesis import settings

TRIES: int = settings.default.max_examples  # type: ignore[union-attr]
