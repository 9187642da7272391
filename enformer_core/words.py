"""Numbers with the names of what they count. Knows grammar. Does not know what is counted."""


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
