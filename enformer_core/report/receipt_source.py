"""Receipts as SQL reads them: the types of their fields, given, since of few receipts not all can be told."""

from enformer_core.report.content import Source

_ERROR = (
    "STRUCT(error DOUBLE, norm DOUBLE, bound DOUBLE, exceeded BOOLEAN, tracks BIGINT, "
    "median_track_error DOUBLE, wrong_signs BIGINT)"
)
_AUDIT = f"STRUCT(variant VARCHAR, statistics MAP(VARCHAR, {_ERROR}))"
_PROVENANCE = (
    "STRUCT(seconds DOUBLE, engine VARCHAR, arithmetic VARCHAR, device_type VARCHAR, device VARCHAR, "
    "cpu_features VARCHAR[], threads BIGINT, enformer_ray VARCHAR, torch VARCHAR, python VARCHAR)"
)
_COLUMNS = {
    "shard": "BIGINT",
    "rows": "BIGINT",
    "provenance": _PROVENANCE,
    "audits": f"{_AUDIT}[]",
}


def receipts_source(location: str, sql: str) -> Source:
    """What DuckDB's own program is asked: `RECEIPTS` in the SQL stands for the receipts of the run there."""
    place = f"{location.rstrip('/')}/commits/*.json".replace("'", "''")
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    return Source(
        "receipts", sql.replace("RECEIPTS", f"read_json('{place}', columns = {{{columns}}})")
    )
