"""Code is followed through its imports."""

from attrition import sources


def test_modules_are_followed_through_their_imports():
    reached = sources.modules("from attrition import tracking")
    assert {"attrition", "attrition.tracking", "attrition.results", "attrition.paths", "attrition.digests"} <= set(
        reached
    )
    assert "attrition.run.driver" not in reached
