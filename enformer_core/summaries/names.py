"""What tables beside runs are called, where nobody says otherwise."""

PERCENTILES = "percentiles"

GROUPS = "track_groups"

PCA = "pca"
