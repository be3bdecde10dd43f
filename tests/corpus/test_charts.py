"""Charts are read by people who see them, people who hear them, and people on a phone."""

from hypothesis import given
from hypothesis import strategies as st

from corpus.charts import Column, Marker, Segment, bar, histogram, meter
from tests.corpus.html_check import Page

names = st.text(max_size=12)
columns = st.lists(
    st.builds(
        lambda name, n, share: Column(name, n, round(n * share), name),
        names,
        st.integers(0, 20_000),
        st.floats(0, 1),
    ),
    max_size=20,
)


@given(columns, st.floats(-1, 2), names)
def test_histogram_is_well_formed_whatever_the_counts(found, share, title):
    """Empty nights, single values and hostile names are nights, too."""
    assert Page(histogram("h", title, found, marked="picked", marker=Marker(share, title))).faults == []


@given(st.lists(st.builds(Segment, names, st.integers(0, 20_000), st.sampled_from(["kept", "held"])), max_size=5))
def test_bar_is_well_formed_whatever_the_counts(segments):
    """Names of sources come from strangers' files."""
    assert Page(bar("b", "title", segments, sum(segment.n for segment in segments))).faults == []


def test_chart_says_its_numbers_in_words():
    """Who cannot see the bars gets the same numbers."""
    html = histogram("h", "Ratings", [Column("1 to 2", 3, 1), Column("2 to 3", 0)], marked="picked")
    assert 'role="img" aria-labelledby="h-t h-d"' in html
    assert '<title id="h-t">Ratings</title><desc id="h-d">1 to 2: 3, 1 picked</desc>' in html
    assert "<g><title>1 to 2: 3, 1 picked</title>" in html


def test_a_count_of_one_among_thousands_can_be_seen():
    """The one conversation that nobody expected is what people look for."""
    html = histogram("h", "t", [Column("a", 17_000), Column("b", 1)], marked="picked")
    assert 'height="2"' in html
    assert 'width="0.300%"' in bar("b", "t", [Segment("one", 1, "held")], 17_000)


def test_heights_are_in_proportion():
    """A chart that exaggerates is worse than a table."""
    html = histogram("h", "t", [Column("a", 100, 50), Column("b", 50)], marked="picked")
    assert html.count('height="90"') == 3  # the strong half, the other half, and the bar of 50: of 180 pixels
    assert 'width="25.000%"' in bar("b", "t", [Segment("a", 1, "kept"), Segment("b", 3, "held")], 4)


def test_marker_label_stays_on_the_chart():
    """A threshold near the end of the scale must still be readable on a phone."""
    low, high = (histogram("h", "t", [Column("a", 1)], marked="m", marker=Marker(x, "here")) for x in (0.1, 0.9))
    assert 'dx="6" y="12" text-anchor="start"' in low
    assert 'dx="-6" y="12" text-anchor="end"' in high


def test_meter_stays_within_its_track():
    """A value off the scale draws a full or an empty bar."""
    assert 'width="100.0%"' in meter("m", 99, 1, 10)
    assert 'width="0.0%"' in meter("m", -5, 1, 10)
