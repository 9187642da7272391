"""Numbers with the names of what they count. Knows grammar. Does not know what is counted."""


def counted(number: int, plural: str) -> str:
    """How many there are, in words: `1 shard`, `1,200 shards`, `1 distinct allele`, `0 tiles`.

    Args:
        number: how many.
        plural: what they are; its last word is a plural that ends with an s.
    """
    unit = plural.removesuffix("s") if number == 1 else plural
    return f"{number:,} {unit}"
