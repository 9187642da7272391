"""The commands by name: each is one file of this package and a line here.

A command's file has a dataclass of settings, and a function that takes them and returns the exit code. Only the command
that was named is imported, and its function only when it is called. Settings stand beside the function, or in
`jobs.settings` where that file loads torch: `--help` must come at once.
"""

from dataclasses import dataclass

from jobs import exit_codes as codes

_STARTED = (codes.HUNG_UP, codes.INTERRUPTED, codes.TERMINATED)
_COMPUTES = (codes.DONE, codes.BAD_INPUT, codes.FAILED_ROWS, codes.INCOMPLETE, *_STARTED)
_AUDITED = (
    *(codes.DONE, codes.BAD_INPUT, codes.FAILED_ROWS),
    *(codes.AUDIT_FAILED, codes.INCOMPLETE, *_STARTED),
)
_ASKS = (codes.DONE, codes.BAD_INPUT, codes.INCOMPLETE)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: its line in `enformer-ray --help`.
        settings: `module:class` of the dataclass whose fields are its options.
        function: `module:function` that takes the settings and returns the exit code.
        examples: command lines that `--help` shows.
        exit_codes: those that it may end with.
        is_work: whether it is there for what it does, not for what it prints: that may be lost.
        paints: whether it prints in colours, which terminals obey; then it lets through no text of others.
    """

    summary: str
    settings: str
    function: str
    examples: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = (codes.DONE, codes.BAD_INPUT)
    is_work: bool = False
    paints: bool = False


COMMANDS = {
    "score": Command(
        "score variants",
        "jobs.settings:ScoreSettings",
        "jobs.score:score_variants",
        is_work=True,
        examples=(
            "enformer-ray score variants.vcf.gz --genome hg38.fa --model enformer"
            " --weights pytorch_model.bin --out scores",
            "enformer-ray score gwas.tsv.gz --genome hg38.fa --model enformer --weights pytorch_model.bin"
            " --targets targets_human.txt --tracks assay=DNASE,CAGE:K562 --max-offset-bp 8192 --out gwas",
            "enformer-ray score variants.vcf.gz --genome hg38.fa --model borzoi --weights model0_best.h5"
            " --targets targets_human.txt --tracks assay=RNA --out rna",
            "enformer-ray score --config run.toml",
        ),
        exit_codes=_AUDITED,
    ),
    "tiles": Command(
        "predict tracks along the genome",
        "jobs.settings:TileSettings",
        "jobs.tiles:predict_tiles",
        is_work=True,
        examples=(
            "enformer-ray tiles --genome hg38.fa --model enformer --weights pytorch_model.bin"
            " --tracks 4828,5111 --regions chr20:1-5000000 --out tiles",
        ),
        exit_codes=_AUDITED,
    ),
    "attribute": Command(
        "attribute predictions at genes, intervals or variants to bases",
        "jobs.attribute_settings:AttributeSettings",
        "jobs.attribute:attribute",
        is_work=True,
        examples=(
            "enformer-ray attribute promoters.bed --genome hg38.fa --model enformer --weights pytorch_model.bin"
            " --group K562=4828,5111 --out contributions",
            "enformer-ray attribute gencode.gtf.gz --gene-list genes.txt --genome hg38.fa --model enformer"
            " --weights pytorch_model.bin --group K562=4828,5111 --attention --out contributions",
            "enformer-ray attribute variants.vcf.gz --genome hg38.fa --model enformer"
            " --weights pytorch_model.bin --targets targets_human.txt --group K562=CAGE:K562"
            " --group DNase=assay=DNASE --hypothetical --out contributions",
        ),
        exit_codes=_COMPUTES,
    ),
    "plan": Command(
        "say what a run of `score` will take, without computing anything",
        "jobs.settings:PlanSettings",
        "jobs.plan:plan",
        examples=(
            "enformer-ray plan variants.vcf.gz --genome hg38.fa",
            "enformer-ray plan variants.vcf.gz --genome hg38.fa --hardware l4 --workers 8 --price-per-hour 0.8",
            "enformer-ray plan variants.vcf.gz --genome hg38.fa --calibrate",
            "enformer-ray plan variants.vcf.gz --genome hg38.fa --benchmark pilot.json"
            " --price-per-hour 0.45",
        ),
    ),
    "query": Command(
        "ask a run with SQL; views: its tables, top and top_genes of what is strongest, long of all",
        "jobs.query:QuerySettings",
        "jobs.query:query",
        examples=(
            "enformer-ray query scores 'FROM top LIMIT 20'",
            'enformer-ray query scores "SELECT variant_id, status, reason FROM scores'
            " WHERE status <> 'ok'\" --json",
            "enformer-ray query scores 'FROM top_genes LIMIT 20'",
            "enformer-ray query scores \"FROM long WHERE assay = 'CAGE'\" --format parquet --output cage.parquet",
            'enformer-ray query scores "SELECT g.*, s.max_abs_sad FROM gwas g JOIN scores s ON s.pos = g.BP'
            " AND s.chrom IN (g.CHR, 'chr' || g.CHR) AND (s.ref, s.alt) IN ((g.A1, g.A2), (g.A2, g.A1))\""
            " --attach gwas=sumstats.tsv.gz --output scored.tsv",
            "enformer-ray query scores 'SHOW TABLES'",
            "enformer-ray query scores 'DESCRIBE top'",
        ),
    ),
    "lookup": Command(
        "show alleles of runs by rsID or place, at once",
        "jobs.lookup:LookupSettings",
        "jobs.lookup:look_up_alleles",
        examples=(
            "enformer-ray lookup scores rs6052080 chr20:4699605",
            "enformer-ray lookup liver s3://BUCKET/runs/brain chr20:4699605:A:G --json",
        ),
        exit_codes=(codes.DONE, codes.BAD_INPUT, codes.FAILED_ROWS, codes.INCOMPLETE),
    ),
    "sql": Command(
        "print the text that opens a run in DuckDB, Polars, Spark and other SQL engines",
        "jobs.sql:SqlSettings",
        "jobs.sql:sql",
        examples=(
            "enformer-ray sql scores --engine polars",
            "enformer-ray sql s3://BUCKET/runs/first --engine athena",
            "enformer-ray sql scores --engine datafusion --run",
        ),
    ),
    "report": Command(
        "write a run on one page of HTML, with the question to each of its numbers",
        "jobs.report:ReportSettings",
        "jobs.report:report",
        is_work=True,
        examples=(
            "enformer-ray report scores --out report.html",
            "enformer-ray report scores --attach finemapping=locus.tsv --out report.html",
            "enformer-ray report scores --locus chr20:4600000-4800000 --sumstats gwas.tsv.gz --out report.html",
        ),
        exit_codes=_ASKS,
    ),
    "status": Command(
        "say how far a run is",
        "jobs.status:StatusSettings",
        "jobs.status:status",
        examples=(
            "enformer-ray status scores",
            "enformer-ray status s3://BUCKET/runs/first --price-per-hour 0.45",
        ),
        exit_codes=(codes.DONE, codes.BAD_INPUT, codes.FAILED_ROWS, codes.INCOMPLETE),
    ),
    "verify": Command(
        "prove that every allele or tile of a run is answered once",
        "jobs.verify:VerifySettings",
        "jobs.verify:verify",
        examples=("enformer-ray verify scores",),
        exit_codes=(codes.DONE, codes.BAD_INPUT, codes.FAILED_ROWS, codes.INCOMPLETE),
    ),
    "repair": Command(
        "move what is damaged of a run out of the way, so that its own command makes it anew",
        "jobs.repair:RepairSettings",
        "jobs.repair:repair",
        is_work=True,
        examples=("enformer-ray repair scores --dry-run", "enformer-ray repair scores"),
        exit_codes=_ASKS,
    ),
    "compact": Command(
        "put a finished run together into fewer, larger files, in another place",
        "jobs.compact:CompactSettings",
        "jobs.compact:compact",
        is_work=True,
        examples=("enformer-ray compact scores --out scores-compact",),
        exit_codes=(*_ASKS, *_STARTED),
    ),
    "calibrate": Command(
        "write the distribution of a background run's scores, by which others are ranked",
        "jobs.calibrate:CalibrateSettings",
        "jobs.calibrate:calibrate_run",
        is_work=True,
        examples=(
            "enformer-ray calibrate background --out null.parquet",
            "enformer-ray calibrate background --statistics sad --processes 4 --out null.parquet",
            "enformer-ray calibrate s3://BUCKET/runs/background --ray auto --out null.parquet",
        ),
        exit_codes=(*_ASKS, *_STARTED),
    ),
    "percentiles": Command(
        "rank a finished run's scores among those of a background run, in a table beside it",
        "jobs.percentiles:PercentilesSettings",
        "jobs.percentiles:rank",
        is_work=True,
        examples=(
            "enformer-ray percentiles scores --null null.parquet",
            "enformer-ray percentiles scores --null eqtl-null.parquet --name eqtl_percentiles --processes 4",
            "enformer-ray percentiles s3://BUCKET/runs/first --null s3://BUCKET/null.parquet --ray auto",
        ),
        exit_codes=(*_ASKS, *_STARTED),
    ),
    "summarise": Command(
        "sum a finished run up over groups of tracks, in a table beside it",
        "jobs.summarise:SummariseSettings",
        "jobs.summarise:summarise",
        is_work=True,
        examples=(
            "enformer-ray summarise scores --by assay",
            "enformer-ray summarise scores --by assay,biosample --statistics sad --name by_biosample",
        ),
        exit_codes=(*_ASKS, *_STARTED),
    ),
    "export": Command(
        "write a run in another format; of an unfinished one NAME.incomplete.tsv (5)",
        "jobs.export:ExportSettings",
        "jobs.export:export",
        examples=(
            "enformer-ray export scores --tsv scores.tsv",
            "enformer-ray export scores --tsv - | gzip > scores.tsv.gz",
            "enformer-ray export scores --tsv genes.tsv --table gene_effects",
            "enformer-ray export scores --vcf scored.vcf.gz",
            "enformer-ray export scores --susie weights.tsv --sumstats gwas.tsv.gz",
        ),
        exit_codes=_ASKS,
    ),
    "publish": Command(
        "put a finished run into a catalog of Iceberg tables; its files stay where they are",
        "jobs.publish:PublishSettings",
        "jobs.publish:publish",
        is_work=True,
        examples=(
            "enformer-ray publish scores --catalog sqlite:////data/catalog.db --warehouse /data/tables",
            "enformer-ray publish s3://BUCKET/runs/first --catalog production",
        ),
        exit_codes=_ASKS,
    ),
    "pca fit": Command(
        "fit principal components to the scores of a run",
        "jobs.pca:FitPcaSettings",
        "jobs.pca:fit",
        is_work=True,
        examples=(
            "enformer-ray pca fit scores --out pca.safetensors",
            "enformer-ray pca fit common --statistic log_sad --tracks assay=CAGE --components 100"
            " --sample 200000 --out cage.safetensors",
        ),
        exit_codes=_ASKS,
    ),
    "pca apply": Command(
        "put principal components of a run's scores beside it, as a table",
        "jobs.pca:ApplyPcaSettings",
        "jobs.pca:apply",
        is_work=True,
        examples=("enformer-ray pca apply scores --pca pca.safetensors",),
        exit_codes=_ASKS,
    ),
    "links": Command(
        "link elements to genes: distance, contact, ABC score, and what a model says of them",
        "jobs.link_settings:LinksSettings",
        "jobs.links:links",
        is_work=True,
        examples=(
            "enformer-ray links --genes GeneList.txt --candidates EnhancerList.txt --scores abc"
            " --out links.parquet",
            "enformer-ray links --genes genes.bed --candidates peaks.bed --scores distance"
            " --window-bp 98304 --out near.parquet",
            "enformer-ray links --genes gencode.gtf.gz --candidates peaks.bed --genome hg38.fa"
            " --model enformer --weights pytorch_model.bin --group K562=4828,5111 --out links",
        ),
        exit_codes=_COMPUTES,
    ),
    "insulators": Command(
        "whether attention stops at boundaries, against places that are like them",
        "jobs.insulator_settings:InsulatorSettings",
        "jobs.insulators:insulators",
        is_work=True,
        examples=(
            "enformer-ray insulators boundaries.bed --genes gencode.gtf.gz --genome hg38.fa"
            " --model enformer --weights pytorch_model.bin --out insulators",
        ),
        exit_codes=_COMPUTES,
    ),
    "evaluate links": Command(
        "hold scores of element-gene pairs against CRISPR experiments",
        "jobs.link_settings:EvaluateLinksSettings",
        "jobs.evaluate:evaluate_links",
        examples=(
            "enformer-ray evaluate links crispr_training_K562.GRCh38.tsv.gz",
            "enformer-ray evaluate links crispr_training_K562.GRCh38.tsv.gz"
            " --predictions links.parquet --bins 0-10000,10000-57344 --json",
        ),
    ),
    "evaluate variants": Command(
        "hold scores of variants against labels, fine-mapping or measured effects",
        "jobs.evaluate_settings:EvaluateVariantsSettings",
        "jobs.evaluate_variants:evaluate_variants",
        examples=(
            "enformer-ray evaluate variants traitgym.parquet --run scores --json",
            "enformer-ray evaluate variants eqtl.tsv.gz --run scores --genome hg38.fa"
            " --match consequence,tss_dist,MAF",
            "enformer-ray evaluate variants cagi5.tsv --run scores --score 'sad[1]' --min-tags 10",
        ),
    ),
    "evaluate tracks": Command(
        "hold predicted tracks against measured ones: published test sequences, or bigWigs",
        "jobs.evaluate_tracks_settings:EvaluateTracksSettings",
        "jobs.evaluate_tracks:evaluate_tracks",
        examples=(
            "enformer-ray evaluate tracks data/human --split test --model enformer"
            " --weights pytorch_model.bin --targets targets_human.txt --genome hg38.fa --parquet tracks.parquet",
            "enformer-ray evaluate tracks measured.tsv --run tiles --genes gencode.gtf.gz --json",
        ),
    ),
    "finemap": Command(
        "fine-map a locus: credible sets and PIPs, without a prior and with one",
        "jobs.finemap_settings:FinemapSettings",
        "jobs.finemap:finemap_locus",
        examples=(
            "enformer-ray finemap --sumstats gwas.tsv.gz --ld locus.npz --locus chr20:4600000-4800000"
            " --prior scores",
            "enformer-ray finemap --sumstats locus.ma --ld panel.bed --n 5000 --prior-column SNPVAR"
            " --out locus.tsv",
        ),
    ),
    "plot locus": Command(
        "draw a locus: association, fine-mapping, scores and genes on one axis",
        "jobs.plot_settings:LocusSettings",
        "jobs.plot_locus:plot_locus",
        is_work=True,
        examples=(
            "enformer-ray plot locus scores --locus chr20:4600000-4800000 --genes gencode.gtf.gz"
            " --sumstats gwas.tsv.gz --ld locus.npz --pips locus.tsv --out locus.png",
            "enformer-ray plot locus scores --variant chr20:4699605:A:G --group liver=assay=DNASE"
            " --out variant.html",
        ),
    ),
    "plot calibration": Command(
        "draw a null distribution, and a run's scores against it",
        "jobs.plot_settings:CalibrationSettings",
        "jobs.plot_calibration:plot_calibration",
        is_work=True,
        examples=(
            "enformer-ray plot calibration null.parquet --tracks 4828,5111 --out null.svg",
            "enformer-ray plot calibration null.parquet scores --out calibration.html",
        ),
        exit_codes=_ASKS,
    ),
    "plot track": Command(
        "draw predicted tracks of a run of tiles, or of both alleles of a variant",
        "jobs.plot_run_settings:TrackSettings",
        "jobs.plot_track:plot_track",
        is_work=True,
        examples=(
            "enformer-ray plot track tiles --region chr20:4600000-4800000 --tracks 4828,5111 --out tracks.png",
            "enformer-ray plot track --variant chr20:4699605:A:G --genome hg38.fa --model enformer"
            " --weights pytorch_model.bin --tracks 4828,5111 --flank 20000 --out effect.html",
        ),
    ),
    "plot logo": Command(
        "draw what bases contribute, as letters of that height",
        "jobs.plot_run_settings:LogoSettings",
        "jobs.plot_logo:plot_logo",
        is_work=True,
        examples=(
            "enformer-ray plot logo contributions --target PRNP --group K562 --out logo.svg",
            "enformer-ray plot logo contributions --target chr20:4699605:A:G --region chr20:4699560-4699650"
            " --hypothetical --out logo.html",
        ),
    ),
    "plot links": Command(
        "draw a gene's elements as arcs to where it starts",
        "jobs.plot_run_settings:LinkPictureSettings",
        "jobs.plot_links:plot_links",
        is_work=True,
        examples=(
            "enformer-ray plot links links --gene PRNP --score gradient --out links.png",
            "enformer-ray plot links links.parquet --gene PRNP --region chr20:4500000-4900000 --out links.svg",
        ),
    ),
    "plot insulators": Command(
        "draw attention at boundaries against controls, as maps and by layer",
        "jobs.plot_run_settings:InsulatorPictureSettings",
        "jobs.plot_insulators:plot_insulators",
        is_work=True,
        examples=("enformer-ray plot insulators insulators --out insulators.png",),
    ),
    "weights import": Command(
        "read published weights, check every tensor, write one .safetensors file",
        "jobs.model_settings:ImportSettings",
        "jobs.weights:import_weights",
        is_work=True,
        examples=("enformer-ray weights import pytorch_model.bin enformer.safetensors",),
    ),
    "config init": Command(
        "write a TOML file of all settings, each with its help, for --config",
        "jobs.config_file:ConfigInitSettings",
        "jobs.config_file:init",
        examples=(
            "enformer-ray config init --out run.toml",
            "enformer-ray config init tiles",
        ),
    ),
    "demo": Command(
        "score every change around a known variant and show the result",
        "jobs.settings:DemoSettings",
        "jobs.demo:demo",
        is_work=True,
        paints=True,
        examples=("enformer-ray demo",),
        exit_codes=_COMPUTES,
    ),
    "docs": Command(
        "print a page of the documentation of this version",
        "jobs.pages:DocsSettings",
        "jobs.pages:show",
        examples=("enformer-ray docs", "enformer-ray docs weights"),
    ),
    "--install-completion": Command(
        "let your shell complete commands and options",
        "jobs.completion:CompletionSettings",
        "jobs.completion:install",
        is_work=True,
        examples=("enformer-ray --install-completion --shell bash",),
    ),
}

GROUPS = {
    "pca": "principal components of scores",
    "evaluate": "hold scores and tracks against experiments",
    "plot": "draw pictures, as PNG, SVG or a page",
    "weights": "convert files of weights",
    "config": "files of settings",
}
"""The first word of commands of two words, and what it says in the list."""

EXAMPLES = (
    "enformer-ray demo",
    "enformer-ray plan variants.vcf.gz --genome hg38.fa",
    "enformer-ray score variants.vcf.gz --genome hg38.fa --model enformer --weights pytorch_model.bin"
    " --out scores",
    "enformer-ray query scores 'FROM top LIMIT 20'",
    "enformer-ray score --help",
)
"""Command lines that `enformer-ray --help` shows below the list of commands."""
