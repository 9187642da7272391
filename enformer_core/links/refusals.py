"""Why tables are refused, in the same words whoever reads them. Does not know how they are read."""


def empty_file(name: str) -> str:
    """Why a file without a letter is refused."""
    return f"{name}: an empty file. Was it written or copied to its end?"


def several_columns(name: str, column: str) -> str:
    """Why a file is refused of which nobody can know which column is meant."""
    return f"{name}: has several columns {column}. Leave one, or rename the others."
