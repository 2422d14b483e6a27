"""The chapter's claims in their order, one file each."""

from kohort.lab.chapter8 import (
    adam_default,
    adamw,
    augmentation,
    batch_or_layer,
    batchnorm_benefits,
    best_epoch_optimism,
    covariate_shift,
    dropout_ensemble,
    dropout_inference,
    dropout_rates,
    early_stopping,
    l1_sparsity,
    l2_update,
    momentum,
    priors,
    running_statistics,
    schedules,
    spatial_dropout,
    standard_recipe,
    worked_example,
)
from kohort.lab.claim import Claim

CLAIMS: dict[str, Claim] = {
    module.CLAIM.name: module.CLAIM
    for module in (
        momentum,
        adam_default,
        adamw,
        schedules,
        l1_sparsity,
        priors,
        l2_update,
        early_stopping,
        augmentation,
        dropout_ensemble,
        dropout_inference,
        dropout_rates,
        spatial_dropout,
        batchnorm_benefits,
        covariate_shift,
        running_statistics,
        batch_or_layer,
        standard_recipe,
        worked_example,
        best_epoch_optimism,
    )
}
"""Name -> claim."""
