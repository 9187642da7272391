"""Catalogs of Iceberg tables by their names, and the words of their refusals.

pyiceberg, an extra, is loaded by functions of this room alone, when they are called.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from enformer_core.errors import InputError, StorageError
from enformer_core.publish.addresses import address_of_place

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

CATALOG_NAME = "default"
"""What a catalog given by its address is called: SQL catalogs keep tables under their own name, and pyiceberg's
`load_catalog()` looks for this one."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")
_INSTALL = "pip install 'enformer-ray[iceberg]'"


def open_catalog(name: str, warehouse: str | None) -> "Catalog":
    """A catalog by its address, or by its name in pyiceberg's own configuration.

    Args:
        name: `sqlite:////PATH`, `https://…` of a REST catalog, another address that pyiceberg knows; or a name of
            `~/.pyiceberg.yaml` or of `PYICEBERG_CATALOG__NAME__URI`.
        warehouse: directory or `s3://bucket/prefix` of the tables' metadata; None where the catalog knows its own.

    Raises:
        InputError: where pyiceberg is not installed, the name is not known, or nothing can be opened there.
    """
    check_installed()
    from pyiceberg.catalog import load_catalog  # noqa: PLC0415 - an extra

    properties = {}
    is_address = "://" in name
    if is_address:
        properties["uri"] = name
    if warehouse is not None:
        properties["warehouse"] = address_of_place(warehouse)
    elif name.startswith("sqlite:"):
        raise InputError(
            f"--catalog {shown_catalog(name)}: this kind of catalog keeps no place for tables. Give --warehouse DIR, "
            "where their metadata is written; the run's files stay where they are."
        )
    # pyiceberg reads no such variables, which all other readers of S3 do
    endpoint = next((os.environ[each] for each in _ENDPOINTS if os.environ.get(each)), None)
    # a configuration has its own
    if endpoint is not None and is_address:
        properties["s3.endpoint"] = endpoint
    try:
        return load_catalog(CATALOG_NAME if is_address else name, **properties)
    except Exception as error:  # of a driver, a server or a file of settings
        raise InputError(
            f"--catalog {shown_catalog(name)}: cannot be opened: {_first_line(error)}. Give an address, as "
            "sqlite:////PATH/catalog.db or https://…, or a name that pyiceberg's configuration has."
        ) from error


@contextmanager
def as_storage_errors(catalog: str) -> Iterator[None]:
    """While this lasts, what a catalog or its driver raises is a `StorageError` of this program.

    What was committed stays, and the same command continues: it is asked anew what is there.
    """
    try:
        yield
    except (InputError, StorageError):
        raise
    except _troubles() as error:
        raise StorageError(
            f"--catalog {shown_catalog(catalog)}: {_first_line(error)}. The same command continues: tables that are "
            "published are left as they are."
        ) from error


def check_installed() -> None:
    """Refuse to publish where pyiceberg is not installed.

    Raises:
        InputError: with the command that installs it.
    """
    try:
        import pyiceberg  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            f"Iceberg tables are written by pyiceberg, which is not installed. Run: {_INSTALL}"
        ) from error


def shown_catalog(name: str) -> str:
    """A catalog's name or address without the password that an address may hold."""
    return _PASSWORD.sub(r"\1…@", name)


def _troubles() -> tuple[type[Exception], ...]:
    from pyiceberg.exceptions import (  # noqa: PLC0415 - an extra
        CommitStateUnknownException,
        RESTError,
    )

    found: list[type[Exception]] = [CommitStateUnknownException, RESTError, OSError]
    try:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - only SQL catalogs have it
    except ImportError:
        return tuple(found)
    return (*found, SQLAlchemyError)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
