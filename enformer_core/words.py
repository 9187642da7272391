"""Numbers with the names of what they count, and times. Knows grammar. Does not know what is counted."""


def counted(number: int, plural: str) -> str:
    """How many there are, in words: `1 shard`, `1,200 shards`, `1 distinct allele`, `0 tiles`, `1 boundary`.

    Args:
        number: how many.
        plural: what they are; its last word is a plural that ends with an s.
    """
    return f"{number:,} {_singular(plural) if number == 1 else plural}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """The word that goes with so many: of `is` and `are`, of `repeats` and `repeat`.

    Args:
        number: how many.
        singular: the word beside one.
        plural: the word beside none or several.
    """
    return singular if number == 1 else plural


def _singular(plural: str) -> str:
    if plural.endswith("ies"):
        return plural.removesuffix("ies") + "y"
    return plural.removesuffix("s")


def duration(seconds: int | float) -> str:
    """A time span in its two largest units at most: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    # rounded before it is divided: 7,199 s are 2 h 00 min and never 1 h 60 min
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def bytes_in_words(number: int | float) -> str:
    """A size in the unit that leaves digits before the point: `0 B`, `950 B`, `1.2 kB`, `9.9 GB`."""
    for unit in _UNITS[:-1]:
        # rounded to three digits it is below 1000 too
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    digits = ".3g" if number < 999.5 else ",.0f"
    return f"{number:{digits}} {_UNITS[-1]}"
