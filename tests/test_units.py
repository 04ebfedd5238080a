"""Durations and sizes: what people write is what is meant, and what is not one is refused."""

import pytest

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1.5h", 5400),
        ("1h30m", 5400), ("1:30:00", 5400), ("05:30", 330), ("1-12:00:00", 129600),
        ("10 min", 600), ("2 hours", 7200), ("3days", 259200),
    ],
)  # fmt: skip
def test_parse_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


#: More than there are numbers for.
ENDLESS = "9" * 400


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "2x", "h", "1:2:3:4", "two hours", "1 2", "nan", "inf", ENDLESS]
)
def test_parse_duration_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4 << 30), ("512M", 512 << 20), ("512MiB", 512 << 20), ("1.5gb", 3 << 29), ("7", 7)],
)
def test_parse_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-4G", "4X", "G", "4 G G", ENDLESS])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 kB"), (3250586, "3.1 MB"), (1 << 30, "1.0 GB"),
     (1023 << 20, "1.0 GB"), (250 << 20, "250 MB")],
)  # fmt: skip
def test_format_size(n: int, text: str) -> None:
    assert format_size(n) == text


@pytest.mark.parametrize(
    ("s", "text"),
    [(0.42, "0.4 s"), (12.31, "12.3 s"), (59.97, "1 min 00 s"), (185, "3 min 05 s"),
     (7800, "2 h 10 min"), (100800, "1 d 4 h")],
)  # fmt: skip
def test_format_duration(s: float, text: str) -> None:
    assert format_duration(s) == text
