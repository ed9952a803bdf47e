"""Loss over epochs and over FLOPs at equal density, by family; and whether the trace of the path kernel before training
predicts the loss after it.

The question about the trace is asked of masks that stay as they are. Masks are compared within groups only: of the same
seed and layer counts (fixed allocation), or of the same seed and density (whatever the allocation). Kendall's tau
counts pairs within groups; its p value is that of a permutation of the losses within groups, its interval a bootstrap
over groups.
"""

import itertools

import numpy as np

import figures as look
import phrases
from costs import flops
from intervals import holm, interval
from study_runs import cells_of, parts_of, with_role
from tables import Table, number

REFERENCE = "random, ERK"  # its last loss is what the others' way is measured to
SHOWN = (
    "small dense",
    "random, ERK",
    "SynFlow",
    "RigL",
    "gradual pruning",
    "AC/DC",
    "growth, path",
    "grow, then reallocate",
)
PREDICTORS = {"log_path_norm": "log path norm (L1)", "log_path_kernel_trace": "log path kernel trace (L2)"}
LOSSES = {"train_loss": "training loss", "validation_loss": "validation loss"}
DRAWS = 9999


def file_part(density):
    return density.replace(".", "-")


def history(runs, dense):
    """Losses per epoch over seeds, and FLOPs so far relative to all of the dense run of the seed."""
    epochs = min(len(run.trajectory["train_loss"]) for run in runs.values())
    of = lambda column: np.array([run.trajectory[column][:epochs] for run in runs.values()], dtype=float)
    both = [seed for seed in sorted(runs) if seed in dense]
    spent = [np.asarray(runs[s].trajectory["training_flops"][:epochs], dtype=float) / flops(dense[s]) for s in both]
    return {
        "seeds": sorted(runs),
        "train_loss": of("train_loss").mean(axis=0).tolist(),
        "validation_loss": of("validation_loss").mean(axis=0).tolist(),
        "flops": np.mean(spent, axis=0).tolist() if spent else None,
        "last": {name: interval(of(name)[:, -1].tolist()) for name in LOSSES},
        "mean_over_epochs": interval(of("validation_loss").mean(axis=1).tolist()),
    }


def reached(found, loss):
    """(epoch, FLOPs) at which the mean validation loss is first at most `loss`; None if never."""
    for epoch, value in enumerate(found["validation_loss"]):
        if value <= loss:
            return [epoch + 1, found["flops"][epoch] if found["flops"] else None]
    return None


def starting_points(study):
    """One row per mask that stays: what was measured of it before its training, and the losses after it."""
    rows = []
    start_of = {study.parts[curve].of: curve for curve in with_role(study.parts, "start")}
    for curve, runs in study.curves.items():
        starts = study.curves.get(start_of.get(curve), {})
        part = study.parts[curve]
        for seed in sorted(set(runs) & set(starts)):
            run, start = runs[seed], starts[seed]
            counts = [int(n) for n in start.statistics["layers"]["present"][0]]
            if any(not np.array_equal(start.masks[0][name], mask) for name, mask in run.masks[0].items()):
                raise ValueError(f"{curve}, seed {seed}: the start's run has another mask than the run itself")
            rows.append(
                {"method": part.family, "density": part.density, "seed": int(seed), "layers": counts}
                | {name: float(start.statistics[name][0]) for name in PREDICTORS}
                | {name: float(run.trajectory[name][-1]) for name in LOSSES}
            )
    return [row for row in rows if all(np.isfinite(row[name]) for name in (*PREDICTORS, *LOSSES))]


def grouped(rows, key):
    """Rows by key, groups of two and more."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def pair_signs(values):
    """Signs of the differences of all pairs in the last axis."""
    first, second = np.triu_indices(np.shape(values)[-1], k=1)
    values = np.asarray(values, dtype=float)
    return np.sign(values[..., first] - values[..., second])


def within_groups(groups, x_name, y_name, seed=1):
    """Kendall's tau over pairs within groups (concordant minus discordant, of all), its interval and its p value."""
    generator = np.random.default_rng(seed)
    x = [pair_signs([row[x_name] for row in group]) for group in groups]
    y = [np.array([row[y_name] for row in group]) for group in groups]
    pairs = np.array([len(signs) for signs in x])
    scores = np.array([np.sum(a * pair_signs(b)) for a, b in zip(x, y)])
    shuffled = np.zeros(DRAWS)
    for a, b in zip(x, y):
        shuffled += pair_signs(generator.permuted(np.tile(b, (DRAWS, 1)), axis=1)) @ a
    extreme = int(np.sum(np.abs(shuffled) >= abs(scores.sum()) - 1e-9))
    result = {
        "tau": float(scores.sum() / pairs.sum()),
        "pairs": int(pairs.sum()),
        "groups": len(groups),
        "masks": sum(map(len, groups)),
        "p": (extreme + 1) / (DRAWS + 1),
        "low": None,
        "high": None,
    }
    if len(groups) > 2:
        drawn = generator.integers(len(groups), size=(DRAWS, len(groups)))
        taus = scores[drawn].sum(axis=1) / pairs[drawn].sum(axis=1)
        result["low"], result["high"] = (float(v) for v in np.percentile(taus, [2.5, 97.5]))
    return result


def predictions(rows):
    kinds = {
        "allocation": lambda row: (row["seed"], tuple(row["layers"])),
        "density": lambda row: (row["seed"], row["density"]),
    }
    tests = []
    for kind, key in kinds.items():
        groups = grouped(rows, key)
        if groups:
            tests += [
                {"kind": kind, "predictor": x, "loss": y} | within_groups(groups, x, y)
                for x in PREDICTORS
                for y in LOSSES
            ]
    for test, p in zip(tests, holm([test["p"] for test in tests])):
        test["p_holm"] = p
    return tests


def controls_of(parts):
    """{family of a control, whose masks are shuffled: that of its own method}."""
    return {part.family: part.of for part in parts.values() if part.role == "control"}


def shuffled_pairs(rows, parts):
    """Of every mask and its control with the same layer counts, shuffled: how many pairs, and in how many the control
    has less training loss and a smaller path norm."""
    found = {(row["method"], row["density"], row["seed"]): row for row in rows}
    shuffled = controls_of(parts)
    pairs = [
        (found[own], row) for (method, *rest), row in found.items() if (own := (shuffled.get(method), *rest)) in found
    ]
    below = lambda name: sum(control[name] < row[name] for row, control in pairs)
    return len(pairs), below("train_loss"), below("log_path_norm")


def summarise(study):
    dense = study.curves.get("dense", {})
    parts = {curve: part for curve, part in study.parts.items() if part.role != "start"}
    histories = {curve: history(runs, dense) for curve, runs in study.curves.items() if curve in parts}
    densities = sorted({parts[curve].density for curve in histories if parts[curve].density}, reverse=True)
    curves = cells_of(parts)
    for curve, found in histories.items():
        reference = histories.get(curves.get((REFERENCE, parts[curve].density)))
        found["reached"] = reached(found, reference["validation_loss"][-1]) if reference else None
    rows = starting_points(study)
    return {"densities": densities, "histories": histories, "starts": rows, "predictions": predictions(rows)}


def loss_text(value):
    return number(value["mean"], value["half_interval"], 3)


KINDS = {"allocation": "same layer counts and seed", "density": "same density and seed"}


def trained_parts(summary):
    """The parts of the curves that are trained, {curve: Part}."""
    return {curve: part for curve, part in parts_of(summary).items() if part.role != "start"}


def tables(summary):
    made = []
    parts = trained_parts(summary)
    curves = cells_of(parts)
    for density in summary["densities"]:
        rows = []
        for curve, found in summary["histories"].items():
            method, at = parts[curve].family, parts[curve].density
            if at not in ("", density):
                continue
            way = (
                found["reached"]
                if at
                else reached(
                    found,
                    summary["histories"].get(curves.get((REFERENCE, density)), {"validation_loss": [-1]})[
                        "validation_loss"
                    ][-1],
                )
            )
            rows.append(
                [
                    method,
                    str(len(found["seeds"])),
                    *(loss_text(found["last"][name]) for name in LOSSES),
                    loss_text(found["mean_over_epochs"]),
                    number(found["flops"][-1], digits=3) if found["flops"] else "-",
                    str(way[0]) if way else "-",
                    number(way[1], digits=3) if way else "-",
                ]
            )
        made.append(
            Table(
                f"loss-{file_part(density)}",
                (
                    f"Density {density}: losses after the last epoch and validation loss averaged over all epochs,"
                    " nats, mean ± 95 % t interval over seeds; training FLOPs relative to dense; epoch and FLOPs at"
                    f" which the mean validation loss reaches what {REFERENCE} ends with."
                ),
                ["method", "seeds", "training", "validation", "over epochs", "FLOPs", "epoch", "FLOPs then"],
                rows,
            )
        )
    if summary["predictions"]:
        rows = [
            [
                KINDS[t["kind"]],
                PREDICTORS[t["predictor"]],
                LOSSES[t["loss"]],
                f'{t["masks"]} / {t["groups"]} / {t["pairs"]}',
                f'{t["tau"]:+.2f}' + ("*" if t["p_holm"] < phrases.LEVEL else ""),
                "-" if t["low"] is None else f'[{t["low"]:+.2f}, {t["high"]:+.2f}]',
                f'{t["p"]:.4f}',
                f'{t["p_holm"]:.4f}',
            ]
            for t in summary["predictions"]
        ]
        made.append(
            Table(
                "trace",
                (
                    "Does the trace before training predict the loss after it? Fixed masks, compared within"
                    " groups: Kendall's tau over pairs (negative: more trace, less loss), 95 % bootstrap"
                    " interval over groups, permutation p value."
                ),
                ["within", "predictor", "loss", "masks / groups / pairs", "tau", "interval", "p", "p (Holm)"],
                rows,
                [
                    f"*: after Holm's correction for {len(rows)} tests. Groups of one seed share weights and images, so"
                    " the groups are not fully independent."
                ],
            )
        )
    return made


def findings(summary):
    sentences = []
    parts = trained_parts(summary)
    for density in summary["densities"]:
        found = {
            parts[c].family: h
            for c, h in summary["histories"].items()
            if parts[c].density == density and parts[c].role != "control"
        }
        if found:
            first = sorted(found, key=lambda m: found[m]["last"]["validation_loss"]["mean"])[:3]
            sentences.append(
                f"At density {density} the lowest mean validation losses at the end are those of "
                + ", ".join(f'{m} ({loss_text(found[m]["last"]["validation_loss"])})' for m in first)
                + f" of {len(found)} methods (n = {len(found[first[0]]['seeds'])}; a minimum over methods is biased"
                " downwards)."
            )
    pairs, less_loss, smaller_norm = shuffled_pairs(summary["starts"], parts)
    if pairs:
        sentences.append(
            f"A mask shuffled within its layers ends with less training loss than the original in {less_loss} of"
            f" {pairs} pairs, and starts with a smaller path norm (L1) in {smaller_norm}."
        )
    for t in summary["predictions"]:
        if t["p_holm"] < phrases.LEVEL:
            says = "more trace goes with less loss" if t["tau"] < 0 else "more trace goes with more loss"
        else:
            says = "no significant relation"
        sentences.append(
            f"{PREDICTORS[t['predictor']][0].upper()}{PREDICTORS[t['predictor']][1:]} before training against"
            f" {LOSSES[t['loss']]} after it, masks of the {KINDS[t['kind']]}: {says} (tau {t['tau']:+.2f},"
            f" {t['pairs']} pairs in {t['groups']} groups, p = {t['p_holm']:.3f} after Holm)."
        )
    return sentences


def figures(summary, base):
    drawn = [draw_losses(summary, f"{base}-loss")] if summary["densities"] else []
    return drawn + ([draw_trace(summary, f"{base}-trace")] if summary["starts"] else [])


def draw_losses(summary, path):
    densities = summary["densities"]
    curves = cells_of(trained_parts(summary))
    figure, axes = look.new_figure(width=11, height=1 + 3.5 * len(densities), columns=2, rows=len(densities))
    axes = np.reshape(axes, (len(densities), 2))
    for (left, right), density in zip(axes, densities):
        shown = [("dense", summary["histories"].get("dense"))] + [
            (m, summary["histories"].get(curves.get((m, density)))) for m in SHOWN
        ]
        for index, (method, found) in enumerate(shown):
            if found is None:
                continue
            style = (
                look.style(index - 1) | {"markersize": 3, "linewidth": 1.3}
                if index
                else {"color": "#555555", "linestyle": ":", "linewidth": 1.6}
            )
            style["label"] = f'{method} (n = {len(found["seeds"])})'
            epochs = np.arange(1, len(found["validation_loss"]) + 1)
            left.plot(epochs, found["validation_loss"], **style)
            if found["flops"]:
                right.plot(found["flops"], found["validation_loss"], **style)
        left.set_ylabel("validation loss, nats")
        for panel in (left, right):
            panel.set_title(f"density {density}; {len(SHOWN)} of the methods", fontsize=10)
        right.set_xscale("log")
        left.set_xlabel("epoch")
        right.set_xlabel("training FLOPs so far / dense training")
    look.legend_below(figure, axes[0][0], columns=4)
    return look.save(figure, path)


def draw_trace(summary, path):
    """Differences within pairs of equal allocation; all masks by density."""
    figure, axes = look.new_figure(width=10.4, height=8, columns=2, rows=2)
    rows = summary["starts"]
    own_of = controls_of(parts_of(summary))
    control_of = {own: control for control, own in own_of.items()}
    methods = list(dict.fromkeys(own_of.get(row["method"], row["method"]) for row in rows))
    for column, (name, label) in enumerate(PREDICTORS.items()):
        upper, lower = axes[0][column], axes[1][column]
        for group in grouped(rows, lambda row: (row["seed"], tuple(row["layers"]))):
            control = [row for row in group if row["method"] in own_of]
            own = [row for row in group if row["method"] not in own_of]
            for row, other in itertools.product(own, control):
                style = look.style(methods.index(row["method"])) | {"linestyle": "none", "label": row["method"]}
                upper.plot([row[name] - other[name]], [row["train_loss"] - other["train_loss"]], **style)
        for method in methods:
            style = look.style(methods.index(method)) | {"linestyle": "none"}
            for shuffled in (False, True):
                wanted = control_of.get(method) if shuffled else method
                found = [row for row in rows if row["method"] == wanted]
                if found:
                    lower.plot(
                        [row[name] for row in found],
                        [row["train_loss"] for row in found],
                        **(
                            style
                            | (
                                {"markerfacecolor": "white", "label": f"{method}, shuffled"}
                                if shuffled
                                else {"label": method}
                            )
                        ),
                    )
        upper.axhline(0, color="black", linewidth=0.8)
        upper.axvline(0, color="black", linewidth=0.8)
        upper.set_title("mask minus the same layer counts shuffled" + verdict(summary, "allocation", name), fontsize=9)
        upper.set_xlabel(f"difference in {label} before training")
        lower.set_title(f"all fixed masks (n = {len(rows)})" + verdict(summary, "density", name), fontsize=9)
        lower.set_xlabel(f"{label} before training")
    axes[0][0].set_ylabel("difference in training loss at the end, nats")
    axes[1][0].set_ylabel("training loss at the end, nats")
    look.legend_below(figure, axes[1][0], columns=5)
    return look.save(figure, path)


def verdict(summary, kind, predictor):
    found = [
        t for t in summary["predictions"] if (t["kind"], t["predictor"], t["loss"]) == (kind, predictor, "train_loss")
    ]
    return (
        f'\ntau within groups {found[0]["tau"]:+.2f}, p {found[0]["p_holm"]:.3f} (Holm), {found[0]["pairs"]} pairs'
        if found
        else ""
    )
