"""Invented summaries with everything that analyse.py writes."""

from dataclasses import asdict


def summary(experiment="execution_agreement", **more):
    """As analyse.provenance() gives it, with the numbers of `more`."""
    return {
        "experiment": experiment,
        "scale": "small",
        "data": "<b>images</b> & more",
        "data_digests": ["abcd"],
        "networks": ["resnet8 of width 8"],
        "train_images": 6454,
        "validation_images": 1614,
        "test_images": 1017,
        "seeds": [1, 2],
        "runs": 4,
        "run_seconds": 5400.0,
        "processors": ["a processor"],
        "cores": 2,
        "execution": ["dense", "sparse"],
        "commits": ["0123abc"],
        "defaults_versions": ["2"],
        "settings": {"epochs": "10", "width": "8"},
        "commands": {"1.00 sparse": "gcg_run --epochs 10"},
        "missing": [],
    } | more


def agreement(difference=0.002, half=0.001, **more):
    """A summary of execution_agreement: one pair, one density, two seeds."""
    row = {
        "seeds": [1, 2],
        "accuracy": 0.5 + difference,
        "other_accuracy": 0.5,
        "difference": difference,
        "half_interval": half,
        "by_seed": [difference, difference],
        "loss_difference": 0.0,
        "loss_half_interval": half,
        "equivalent": half is not None and abs(difference) + half <= 0.015,
    }
    kept = {"curves": {"1.00": {}}} | more
    return summary(margin=0.015, images=2631, pairs={"sparse-dense": {"1.00": row}}, **kept)


def growth(**more):
    """A summary of growth_rules: two rules, one control, two seeds, with a figure."""

    def curve(density, *rows):
        means = [sum(column) / len(rows) for column in zip(*rows)]
        fit = {
            "seed": 1,
            "outcome": "found",
            "note": "",
            "d_star": 0.3,
            "d_low": 0.2,
            "d_high": 0.4,
            "accuracy_at_one": 0.6,
            "standard_error": 0.01,
            "epsilon": 0.02,
        }
        return {
            "seeds": list(range(1, len(rows) + 1)),
            "density": density,
            "accuracy": means,
            "half_interval": [0.01] * len(means),
            "by_seed": [list(r) for r in rows],
            "fits": [fit],
            "over_seeds": {"outcomes": "1 found", "d_star": 0.3, "low": None, "high": None, "found": 1},
            "test_accuracy": means[-1],
            "test_half_interval": 0.01,
            "seconds": 60.0,
        }

    import growth_rules
    from study_runs import Part

    curves = {
        "path, sampled": curve([0.1, 0.2], [0.4, 0.5], [0.42, 0.53]),
        "random": curve([0.1, 0.2], [0.4, 0.49], [0.42, 0.51]),
        "control: density 0.2": curve([0.2, 0.2], [0.45, 0.55], [0.46, 0.56]),
    }
    parts = {
        "path, sampled": Part("growth", "path, sampled"),
        "random": Part("growth", "random"),
        "control: density 0.2": Part("control", "constant density", {"density": 0.2}),
    }
    return summary(
        "growth_rules",
        curves=curves,
        parts={curve: asdict(part) for curve, part in parts.items()},
        differences=growth_rules.differences(curves, parts),
        reader_of_the_control=[],
        **more,
    )
