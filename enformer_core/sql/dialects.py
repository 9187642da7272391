"""SQL engines and their words for what a run needs: a table in folders `chrom=…`, a list over tracks.

A row of `DIALECTS` for each engine; to add one is to add a row. Knows words. Does not know which tables a run has.

Words have places in braces. Of a table: `{name}`; as texts in quotes `{folder}`, where its partitions lie, `{files}`, a
pattern that names its files alone, and `{file}`, of a table that is one file; `{columns}`, each with its type, and
`{nulls}`, a null of each; `{at_service}`. Of a list: `{list}` and `{at}`, counted from 1. Of a service that is not AWS,
`http://host:9000`: `{url}` and `{host}` as texts in quotes, `{tls}`, true or false, and `{bare_url}`, without quotes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_SQL_TYPES = {
    "string": "VARCHAR",
    "int8": "TINYINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "list": "{item}[]",
}

_HIVE_TYPES = {
    **_SQL_TYPES,
    "string": "string",
    "int32": "int",
    "list": "array<{item}>",
}

_EMPTY_VIEW = "CREATE VIEW {name} AS SELECT {nulls} WHERE false"

NULL = "CAST(NULL AS {type}) AS {column}"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """An engine's words.

    Attributes:
        title: the engine's own name.
        packages: of PyPI, by which it runs here; none where it is a service.
        speaks_python: whether a run is opened in Python, and only asked in SQL.
        setup: what is said before any table is opened.
        setup_remote: the same, where the run lies on object storage.
        setup_service: the same where the storage's service is not AWS: it names the service.
        at_service: what a table is told beside its files, where the service is not AWS.
        asks_by_url: whether addresses are URLs, with quoted letters; a service that is not AWS stands in each,
            `http://host:9000/bucket/key`.
        wants_plain_keys: whether its client quotes what is quoted, and may not find other keys on object storage.
        note_service: how the engine is told the service, where the text cannot.
        table: opens a table that lies in partitions.
        table_remote: the same on object storage, where that differs.
        table_quoted: the same where a folder has a contig's name with quoted letters, `chrom=HLA%2A01`.
        after_table: what is said once it is there.
        whole: opens a table that is one file.
        whole_remote: the same on object storage, where that differs.
        empty: makes a table of which nothing is stored yet, with its columns and no row.
        ask: what stands around a question, `{sql}`.
        element: an item of a list; null beyond its end, and of a list that is null.
        largest: the largest size in a list.
        contains: whether a list of texts has `{text}`.
        unnest: the rows of `{table}` with an item of a list each, `{columns}` beside it.
        types: its names of types.
        null: a null of a type.
        null_list: the same of a list.
        identifier: a column's name in quotes.
        escaped_quote: a quote within a text.
        scheme: of addresses on object storage.
        wants: where it reads runs, as a service that knows no disk of ours; in words.
        notes: what is worth knowing.
    """

    title: str
    packages: tuple[str, ...] = ()
    speaks_python: bool = False
    setup: tuple[str, ...] = ()
    setup_remote: tuple[str, ...] = ()
    setup_service: tuple[str, ...] = ()
    at_service: str = ""
    asks_by_url: bool = False
    wants_plain_keys: bool = False
    note_service: str | None = None
    table: str
    table_remote: str | None = None
    table_quoted: tuple[str, ...] = ()
    after_table: tuple[str, ...] = ()
    whole: str
    whole_remote: str | None = None
    empty: str | None = _EMPTY_VIEW
    ask: str = "{sql}"
    element: str = "{list}[{at}]"
    largest: str | None
    contains: str
    unnest: str = "SELECT {columns}, unnest({list}) AS item FROM {table}"
    types: Mapping[str, str] = field(default_factory=lambda: _SQL_TYPES)
    null: str = NULL
    null_list: str = NULL
    identifier: str = '"{name}"'
    escaped_quote: str = "''"
    scheme: str = "s3"
    wants: str | None = None
    notes: tuple[str, ...] = ()


DIALECTS = {
    "duckdb": Dialect(
        title="DuckDB",
        packages=("duckdb",),
        setup_remote=(
            "INSTALL httpfs",
            "INSTALL aws",
            "CREATE SECRET (TYPE s3, PROVIDER credential_chain)",
        ),
        setup_service=(
            "INSTALL httpfs",
            "INSTALL aws",
            "CREATE SECRET (TYPE s3, PROVIDER credential_chain, "
            "ENDPOINT {host}, URL_STYLE 'path', USE_SSL {tls})",
        ),
        table="CREATE VIEW {name} AS FROM read_parquet({files}, "
        "hive_partitioning = true, hive_types = {{'chrom': VARCHAR}})",
        whole="CREATE VIEW {name} AS FROM read_parquet({file}, hive_partitioning = false)",
        largest="list_max(list_transform({list}, lambda x: abs(x)))",
        contains="list_contains({list}, {text})",
        notes=("Without `hive_types` a run on 1 and 22 has numbers in `chrom`.",),
    ),
    "polars": Dialect(
        title="Polars",
        packages=("polars",),
        speaks_python=True,
        setup=("import polars as pl", "", "ctx = pl.SQLContext()"),
        setup_service=('service = {{"aws_endpoint_url": {url}}}',),
        at_service=", storage_options=service",
        wants_plain_keys=True,
        table="""\
ctx.register(
    "{name}",
    pl.scan_parquet(
        {files},
        hive_partitioning=True,
        hive_schema={{"chrom": pl.String}}{at_service},
    ),
)""",
        whole='ctx.register("{name}", pl.scan_parquet({file}, hive_partitioning=False{at_service}))',
        empty='ctx.register("{name}", pl.LazyFrame(schema={{{nulls}}}))',
        ask='question = """\n{sql}\n"""\nprint(ctx.execute(question, eager=True))',
        element="ARRAY_GET({list}, {at})",
        largest=None,
        contains="ARRAY_CONTAINS({list}, {text})",
        types={
            "string": "pl.String",
            "int8": "pl.Int8",
            "int32": "pl.Int32",
            "int64": "pl.Int64",
            "float": "pl.Float32",
            "double": "pl.Float64",
            "bool": "pl.Boolean",
            "list": "pl.List({item})",
        },
        null="{column}: {type}",
        null_list="{column}: {type}",
        notes=(
            'Without `hive_schema` a run on 1 and 22 has numbers in `chrom`, and `chrom = "X"` fails.',
            "Its SQL has no largest size of a list, its expressions have: "
            '`pl.col("sad").list.eval(pl.element().abs()).list.max()`.',
        ),
    ),
    "datafusion": Dialect(
        title="DataFusion",
        packages=("datafusion",),
        wants_plain_keys=True,
        note_service="The run is at {bare_url}: `datafusion-cli` is told that by AWS_ENDPOINT_URL, and by "
        "AWS_ALLOW_HTTP=true where it has no TLS.",
        table="CREATE EXTERNAL TABLE {name} ({columns}) STORED AS PARQUET PARTITIONED BY (chrom) LOCATION {folder}",
        # for a contig that is asked for it looks into the folder of that very name: of a text that is made, into all
        table_quoted=(
            "CREATE EXTERNAL TABLE {name}_files ({columns}) "
            "STORED AS PARQUET PARTITIONED BY (chrom) LOCATION {folder}",
            "CREATE VIEW {name} AS SELECT * EXCLUDE (chrom), concat(chrom, '') AS chrom FROM {name}_files",
        ),
        whole="CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION {file}",
        largest="greatest(array_max({list}), -array_min({list}))",
        contains="array_has({list}, {text})",
        notes=(
            "`datafusion-cli` takes it as it is, `SessionContext().sql` a statement at a time.",
            "`datafusion-cli` reads `s3://` with the credentials of the environment. In Python its context is told "
            "the bucket by `register_object_store` first, as `--run` does.",
        ),
    ),
    "chdb": Dialect(
        title="chDB (ClickHouse)",
        packages=("chdb",),
        setup=("SET join_use_nulls = 1",),
        table="CREATE VIEW {name} AS SELECT CAST(decodeURLComponent(extract(_path, '/chrom=([^/]+)/')) AS String) "
        "AS chrom, * FROM file({files}, Parquet) SETTINGS use_hive_partitioning = 0",
        table_remote="CREATE VIEW {name} AS SELECT CAST(decodeURLComponent(extract(_path, '/chrom=([^/]+)/')) "
        "AS String) AS chrom, * FROM s3({files}, 'Parquet') SETTINGS use_hive_partitioning = 0",
        whole="CREATE VIEW {name} AS SELECT * FROM file({file}, Parquet)",
        whole_remote="CREATE VIEW {name} AS SELECT * FROM s3({file}, 'Parquet')",
        asks_by_url=True,
        largest="if(empty({list}), NULL, arrayMax(x -> abs(assumeNotNull(x)), {list}))",
        contains="has({list}, {text})",
        unnest="SELECT {columns}, item FROM {table} ARRAY JOIN {list} AS item",
        types={
            "string": "Nullable(String)",
            "int8": "Nullable(Int8)",
            "int32": "Nullable(Int32)",
            "int64": "Nullable(Int64)",
            "float": "Nullable(Float32)",
            "double": "Nullable(Float64)",
            "bool": "Nullable(Bool)",
            "list": "Array({item})",
        },
        null_list="CAST([] AS {type}) AS {column}",
        notes=(
            "A `chdb.session.Session()` takes it a statement at a time.",
            "It has no null list: of a row without scores `sad` is `[]`, and `sad[1]` null.",
            "Its own reading of `chrom=…` takes a type from the first folder and leaves `%2A` as it is: so the path is "
            "read.",
        ),
    ),
    "spark": Dialect(
        title="Spark",
        packages=("pyspark",),
        setup=("SET spark.sql.sources.partitionColumnTypeInference.enabled = false",),
        setup_service=("SET fs.s3a.endpoint = {bare_url}", "SET fs.s3a.path.style.access = true"),
        table="CREATE TEMPORARY VIEW {name} USING parquet OPTIONS (path {folder})",
        whole="CREATE TEMPORARY VIEW {name} USING parquet OPTIONS (path {file})",
        empty="CREATE TEMPORARY VIEW {name} AS SELECT {nulls} WHERE false",
        element="get({list}, {at} - 1)",
        largest="array_max(transform({list}, x -> abs(x)))",
        contains="array_contains({list}, {text})",
        unnest="SELECT {columns}, explode({list}) AS item FROM {table}",
        types=_HIVE_TYPES,
        identifier="`{name}`",
        escaped_quote="\\'",
        scheme="s3a",
        notes=(
            "`spark-sql` takes it as it is, `spark.sql` a statement at a time.",
            "It takes a folder, not a pattern, or there is no `chrom`. `sad[0]` is the first item, and one beyond the "
            "end fails.",
            "For `s3a://` it needs the package `hadoop-aws` of its Hadoop's version.",
        ),
    ),
    "trino": Dialect(
        title="Trino",
        setup=("USE hive.default",),
        table="CREATE TABLE {name} ({columns}) WITH "
        "(format = 'PARQUET', external_location = {folder}, partitioned_by = ARRAY['chrom'])",
        after_table=("CALL system.sync_partition_metadata('default', '{name}', 'ADD')",),
        whole="CREATE TABLE {name} ({columns}) WITH (format = 'PARQUET', external_location = {own_folder})",
        empty=None,
        types={**_SQL_TYPES, "float": "REAL", "list": "ARRAY({item})"},
        wants="object storage",
        element="element_at({list}, {at})",
        largest="array_max(transform({list}, x -> abs(x)))",
        contains="contains({list}, {text})",
        unnest="SELECT {columns}, item FROM {table} CROSS JOIN UNNEST({list}) AS u (item)",
    ),
    "athena": Dialect(
        title="Athena",
        table="CREATE EXTERNAL TABLE {name} ({columns_but_chrom}) PARTITIONED BY (chrom string) "
        "STORED AS PARQUET LOCATION {folder}",
        after_table=("MSCK REPAIR TABLE {name}",),
        whole="CREATE EXTERNAL TABLE {name} ({columns}) STORED AS PARQUET LOCATION {own_folder}",
        empty=None,
        types=_HIVE_TYPES,
        identifier="`{name}`",
        wants="S3",
        element="element_at({list}, {at})",
        largest="array_max(transform({list}, x -> abs(x)))",
        contains="contains({list}, {text})",
        unnest="SELECT {columns}, item FROM {table} CROSS JOIN UNNEST({list}) AS u (item)",
    ),
    "bigquery": Dialect(
        title="BigQuery",
        setup=("CREATE SCHEMA IF NOT EXISTS enformer_ray", "SET @@dataset_id = 'enformer_ray'"),
        table="CREATE EXTERNAL TABLE {name} WITH PARTITION COLUMNS (chrom STRING) OPTIONS (format = 'PARQUET', "
        "uris = [{any}], hive_partition_uri_prefix = {bare_folder}, enable_list_inference = true)",
        whole="CREATE EXTERNAL TABLE {name} OPTIONS (format = 'PARQUET', uris = [{file}])",
        empty=None,
        element="{list}[SAFE_ORDINAL({at})]",
        largest="(SELECT max(abs(x)) FROM UNNEST({list}) AS x)",
        contains="{text} IN UNNEST({list})",
        unnest="SELECT {columns}, item FROM {table}, UNNEST({list}) AS item",
        identifier="`{name}`",
        escaped_quote="\\'",
        scheme="gs",
        wants="Google Cloud Storage",
        notes=(
            "Without `enable_list_inference` a list is `sad.list[0].element`, without a type for it `chrom` is a "
            "number where all contigs are.",
        ),
    ),
}
