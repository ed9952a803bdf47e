"""Is d* right? After every stage the fit; the masks of the stages on fresh weights by the whole recipe (control (b))
against the dense run; every stopping rule replayed on the recorded trajectories, and what it would have cost and lost.

Needs beside the study file what `gcg_replay FOLDER/extrapolation-SCALE.json` writes there; without it there is no
replay.
"""

import math

import numpy as np

import figures as look
import phrases
from intervals import logistic
from stopping_rules import (
    DENSE,
    OWN,
    controls_of,
    joint_accuracy,
    joint_fits,
    real_coverage,
    right_stage,
    rules_over_seeds,
    stage_rows,
    stages_of,
    trunk_of,
    verdict,
)
from study_runs import read_replay, with_role
from tables import Table, number, percent


def summarise(study):
    dense = study.curves.get(DENSE, {})
    trunks = study.curves.get(trunk_of(study), {})
    any_trunk = next(iter(trunks.values()))
    epsilon = float(any_trunk.options["epsilon"])
    chance = 1 / float(any_trunk.identity["classes"])
    trajectories = {seed: stage_rows(run) for seed, run in trunks.items()}
    controls = controls_of(study, dense) if dense else []
    controls = [row for row in controls if row["gap"]]
    verdicts = {}
    for seed, rows in trajectories.items():
        gaps = [row["gap"]["by_seed"].get(str(seed)) for row in controls]
        if rows and rows[-1]["d_star"] is not None and gaps and None not in gaps:
            verdicts[str(seed)] = verdict([r["density"] for r in controls], gaps, rows[-1]["d_star"], epsilon)
    replay = read_replay(study)
    fits = {}
    for seed, run in trunks.items():
        if str(run.options["extrapolator"]) == OWN and np.all(
            np.isfinite(run.fits["parameters"][stages_of(run)[-1]][:3])
        ):
            fits[str(seed)] = [float(p) for p in run.fits["parameters"][stages_of(run)[-1]][:3]]
    return {
        "epsilon": epsilon,
        "chance": chance,
        "trajectories": {str(seed): rows for seed, rows in trajectories.items()},
        "fits": fits,
        "joint": joint_fits(replay, study, trunk_of(study)),
        "held": {curve: joint_fits(replay, study, curve) for curve in with_role(study.parts, "held growth")},
        "controls": [{key: row[key] for key in ("stage", "density", "gap", "validation_gap")} for row in controls],
        "control_stage": right_stage([row["gap"]["mean"] for row in controls], epsilon) if controls else None,
        "verdicts": verdicts,
        "rules": rules_over_seeds(replay, study, dense, controls) if replay else {},
        "coverage": replay["coverage"] if replay else [],
        "real_coverage": real_coverage(trajectories, controls, epsilon),
    }


def bounds(low, high):
    return "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def best_rules(summary):
    """Names of the rules that no other beats both in cost and in what is lost, by cost; rules of one outcome
    together."""
    rules = summary["rules"]
    outcomes = {}
    for name, r in rules.items():
        outcomes.setdefault((r["cost"]["mean"], r["lost"]["mean"]), []).append(name)
    beaten = lambda value: any(o != value and o[0] <= value[0] and o[1] <= value[1] for o in outcomes)
    return [outcomes[value] for value in sorted(outcomes) if not beaten(value)]


def alike(names):
    """One rule of those with one outcome, and how many others there are of which extrapolators."""
    others = {}
    for name in names[1:]:
        others[name.split(",")[0]] = others.get(name.split(",")[0], 0) + 1
    return names[0] + "".join(f"; {count} more {kind}" for kind, count in others.items())


def tables(summary):
    star = lambda row: "-" if row["d_star"] is None else number(row["d_star"], digits=3)
    fits = []
    for seed, rows in summary["trajectories"].items():
        for stage, row in enumerate(rows):
            between = "-" if row["d_low"] is None else f'{row["d_low"]:.3f} to {row["d_high"]:.3f}'
            fits.append(
                [
                    f"{seed}",
                    str(stage),
                    f'{row["density"]:.3f}',
                    percent(row["accuracy"]),
                    row["outcome"].replace("_", " "),
                    star(row),
                    between,
                    percent(row["accuracy_at_one"], row["standard_error"]),
                ]
            )
    epsilon = 100 * summary["epsilon"]
    made = [
        Table(
            "fits",
            (
                "The fit after every stage: validation accuracy, %; outcome; d* for epsilon ="
                f" {epsilon:.1f} points with its 95 % bootstrap interval (validation noise only); A(1) ± standard"
                " error, %."
            ),
            ["seed", "stage", "density", "accuracy", "outcome", "d*", "interval", "A(1)"],
            fits,
        )
    ]
    if summary.get("joint"):
        joint_row = lambda growth, seed, alone, joint: [
            growth,
            seed,
            alone,
            joint["outcome"].replace("_", " "),
            number(joint["d_star"], digits=3),
            bounds(joint["low"], joint["high"]),
            "-" if joint["difference_error"] is None else number(100 * joint["difference_error"], digits=1),
        ]
        rows = [
            joint_row("one stage", seed, star(summary["trajectories"][seed][-1]), joint)
            for seed, joint in summary["joint"].items()
            if seed in summary["trajectories"]
        ]
        for joints in summary["held"].values():
            rows += [joint_row("two stages", seed, "-", joint) for seed, joint in joints.items()]
        made.append(
            Table(
                "joint",
                (
                    "The fit over density alone and the fit of density and time together, after the last stage of"
                    " growth with one stage at each density, and with two at each of half as many: d*"
                    " of either; interval that contains the 95 % intervals of the joint, the logistic and the power"
                    " form; standard error of A(1) - A(d*) in the joint fit, points, which"
                    f" epsilon = {epsilon:.1f} has to exceed. d* of the joint fit is for trainings as long as all"
                    " of growth."
                ),
                ["at a density", "seed", "d* of density", "outcome", "joint d*", "interval over three forms", "error"],
                rows,
            )
        )
    if summary["controls"]:
        rows = [
            [
                str(r["stage"]),
                f'{r["density"]:.3f}',
                phrases.points(phrases.negated(r["gap"])),
                phrases.points(phrases.negated(r["validation_gap"])),
                str(r["gap"]["seeds"]),
            ]
            for r in summary["controls"]
        ]
        wording = [f"seed {s}: {v or 'no mask at or above d*'}" for s, v in summary["verdicts"].items()]
        made.append(
            Table(
                "control",
                (
                    "Control: the mask of every stage on fresh weights, by the recipe: accuracy minus the dense"
                    " run of the same seed, points, mean ± 95 % t interval."
                ),
                ["stage", "density", "test", "validation", "seeds"],
                rows,
                [
                    "d* of the last fit against it (right: the first mask at or above d* is within epsilon of dense,"
                    " the one before is not): " + ("; ".join(wording) if wording else "no seed has a d*") + "."
                ],
            )
        )
    if summary["rules"]:
        rows = []
        for names in best_rules(summary):
            r = summary["rules"][names[0]]
            stops = sorted({summary["rules"][name]["stopped"] for name in names})
            rows.append(
                [
                    alike(names),
                    number(r["density"]["mean"], r["density"]["half_interval"]),
                    f'{" to ".join(str(count) for count in dict.fromkeys([stops[0], stops[-1]]))} of {len(r["seeds"])}',
                    phrases.points(phrases.negated(r["lost"])),
                    number(r["cost"]["mean"], r["cost"]["half_interval"]),
                ]
            )
        made.append(
            Table(
                "rules",
                (
                    f"Stopping rules replayed: of {len(summary['rules'])} rules (4 extrapolators x 8 epsilon x 4 first"
                    " stages) those that no other beats in both cost and accuracy, by outcome. Density at the stop"
                    " (the last stage where the rule does not stop); test accuracy of the mask of that stage,"
                    " trained by the recipe, minus dense, points; density × epochs of growth and that"
                    " training, dense = 1. Mean ± 95 % t interval."
                ),
                ["rule", "density", "stops", "minus dense", "cost"],
                rows,
                ["Chosen after the fact on the same seeds: what they promise is optimistic."],
            )
        )
    if summary["coverage"]:
        rows = [
            [
                c["truth"],
                c["extrapolator"],
                f'{c["true_d_star"]:.3f}',
                percent(c["found"] / c["trials"], digits=0),
                percent(c["intervals"] / c["trials"], digits=0),
                percent(c["covered"] / c["intervals"], digits=0) if c["intervals"] else "-",
                number(c["log_bias"] / math.log(2)) if c["found"] else "-",
            ]
            for c in summary["coverage"]
        ]
        real = summary["real_coverage"]
        first = summary["coverage"][0]
        made.append(
            Table(
                "coverage",
                (
                    f"The 95 % bootstrap interval of d* on simulated curves: {first['trials']} trials each, the study's"
                    f" densities, binomial noise of {first['samples']:,} images. Share of trials with a d*, with an"
                    " interval, and of the intervals that hold the true d*, %; mean of log2(d* / true d*)."
                ),
                ["truth", "fit", "true d*", "found", "interval", "covers", "octaves"],
                rows,
                [
                    f'On the real curves: of {real["intervals"]} intervals of one seed {real["hold_control"]} of'
                    f' {real["controls"]} meet the step at which the masks trained anew come within epsilon, and'
                    f' {real["hold_other"]} of'
                    f' {real["others"]} pairs hold the d* of another seed.'
                ],
            )
        )
    return made


def joint_words(joint):
    outcome = joint["outcome"].replace("_", " ")
    if joint["d_star"] is None:
        return outcome
    return f"{outcome}, d* {number(joint['d_star'], digits=3)} ({bounds(joint['low'], joint['high'])} over three forms)"


def early_by_form(summary, rules):
    """Of extrapolators that stop before the study's own one and whose d* is too low on simulated curves of every other
    family: that this is their form, not knowledge. `rules`: those of the study's epsilon."""
    own = next((r for r in rules if r["extrapolator"] == OWN), None)
    said = []
    for row in rules:
        name = row["extrapolator"]
        wrong = [c for c in summary["coverage"] if c["extrapolator"] == name and c["truth"] != name and c["found"]]
        if own is None or not wrong or row["density"]["mean"] >= own["density"]["mean"]:
            continue
        biases = [c["log_bias"] / math.log(2) for c in wrong]
        held = sum(c["covered"] for c in wrong), sum(c["intervals"] for c in wrong)
        if max(biases) < 0:
            said.append(
                f"The {name} rule stops early because of its form: on simulated curves of the other families its d* is"
                f" {-max(biases):.1f} to {-min(biases):.1f} octaves too low, and {held[0]} of {held[1]} intervals"
                " contain the true one. That it stops nearer to the sparsest mask within epsilon here does not"
                " favour the form."
            )
    return said


def findings(summary):
    said = []
    real, verdicts = summary["real_coverage"], list(summary["verdicts"].values())
    if verdicts:
        counts = [
            f"{kind} for {verdicts.count(kind)}" for kind in ("right", "too low", "too high") if verdicts.count(kind)
        ]
        said.append(
            phrases.Finding(
                (
                    "Compared with the stages' masks trained by the recipe, d* after the last stage"
                    f" {'is ' + ', '.join(counts) if counts else 'can be judged for none'} of {len(verdicts)} seeds"
                    " with a d*."
                ),
                claims=["exploration"],
                options=["extrapolator", "epsilon"],
            )
        )
    elif summary["trajectories"]:
        said.append(
            phrases.Finding(
                "No seed has both a d* after its last stage and all masks trained anew.", claims=["exploration"]
            )
        )
    for joints in summary.get("held", {}).values():
        for seed, joint in joints.items():
            said.append(
                f"Seed {seed}, two stages at each density: the fit of density and time together says"
                f" {joint_words(joint)}."
            )
    for seed, joint in summary.get("joint", {}).items():
        alone = summary["trajectories"].get(seed, [{"d_star": None}])[-1]["d_star"]
        said.append(
            f"Seed {seed}, one stage at each density: the fit of density and time together says {joint_words(joint)};"
            f" the fit over density alone d* {number(alone, digits=3)}."
        )
    if summary["controls"]:
        stage = summary["control_stage"]
        said.append(
            "By the means of the masks trained anew from fresh weights, no stage's mask stays within epsilon of dense."
            if stage is None
            else (
                "By the means of the masks trained anew from fresh weights, they are within epsilon of dense from"
                " density"
                f" {summary['controls'][stage]['density']:.3f} on."
            )
        )
    if summary["rules"]:
        own = [
            r
            for r in summary["rules"].values()
            if r["epsilon"] == summary["epsilon"] and not r["epsilon_relative"] and r["min_stages"] == 5
        ]
        for row in own:
            said.append(
                phrases.Finding(
                    (
                        f'With the {row["extrapolator"]} rule at the study\'s epsilon, growth ends at a mean density of'
                        f' {row["density"]["mean"]:.2f} (the rule stopped {row["stopped"]} of {len(row["seeds"])}'
                        f" seeds;"
                        " of the others the last stage counts). Accuracy relative to dense training is"
                        f' {phrases.points(phrases.negated(row["lost"]))} points; the cost is'
                        f' {row["cost"]["mean"]:.2f} dense trainings.'
                    ),
                    options=["extrapolator"],
                )
            )
        said += [phrases.Finding(sentence, options=["extrapolator"]) for sentence in early_by_form(summary, own)]
        first = {
            str(r["min_stages"]): r["density"]["mean"]
            for r in summary["rules"].values()
            if r["extrapolator"] == OWN and r["epsilon"] == summary["epsilon"] and not r["epsilon_relative"]
        }
        if first:
            said.append(
                phrases.Finding(
                    (
                        f"The {OWN} rule at the study's epsilon with its first fit after {', '.join(first)} stages"
                        f" stops at density {', '.join(f'{density:.2f}' for density in first.values())}."
                    ),
                    options=["min-stages"],
                )
            )
    for row in summary["coverage"]:
        if row["truth"] == row["extrapolator"] and row["intervals"]:
            said.append(
                f'On simulated curves of the {row["truth"]} family, the interval of a fit of the same form contains'
                f' the true d* in {100 * row["covered"] / row["intervals"]:.0f} % of {row["intervals"]} intervals'
                f' ({row["trials"]} trials, level 95 %).'
            )
    if real["others"]:
        said.append(
            f'The interval of one seed contains the d* of another in {real["hold_other"]} of {real["others"]} pairs: it'
            " covers validation noise only."
        )
    return said


def draw_held(panel, joints):
    """d* of the joint fit of growth with two stages at each density, beside the last stage."""
    for index, joint in enumerate(joints):
        panel.errorbar(
            [0.86 * 1.04**index],
            [joint["d_star"]],
            yerr=[[joint["d_star"] - joint["low"]], [joint["high"] - joint["d_star"]]],
            color="black",
            marker="o",
            markerfacecolor="white",
            markersize=5,
            linewidth=1,
            linestyle="none",
            capsize=2,
            label="_seed" if index else "d* of density and time,\ntwo stages at a density (union)",
        )


def figures(summary, base):
    if not summary["trajectories"]:
        return []
    figure, axes = look.new_figure(width=11.0, height=4.4, columns=3 if summary["rules"] else 2)
    left, middle = axes[0], axes[1]
    density = [row["density"] for rows in summary["trajectories"].values() for row in rows]
    fine = np.geomspace(min(density), 1, 200)
    for index, (seed, rows) in enumerate(summary["trajectories"].items()):
        shape = look.style(index) | {"linestyle": "none"}
        left.plot(
            [r["density"] for r in rows], [100 * r["accuracy"] for r in rows], label=f"seed {seed}: stages", **shape
        )
        if seed in summary["fits"]:
            left.plot(
                fine,
                100 * logistic(fine, summary["fits"][seed], summary["chance"]),
                color=shape["color"],
                linewidth=1,
                label="_fit",
            )
        joint = summary.get("joint", {}).get(seed)
        if joint:
            curve = joint_accuracy(joint["parameters"], fine, joint["epochs"])
            left.plot(fine, 100 * curve, color=shape["color"], linewidth=1, linestyle="--", label="_joint")
            if joint["d_star"] is not None:
                left.axvline(joint["d_star"], color=shape["color"], linestyle="--", linewidth=1)
            if joint["low"] is not None and joint["high"] is not None:
                left.axvspan(joint["low"], joint["high"], color=shape["color"], alpha=0.07, linewidth=0)
        if rows[-1]["d_star"] is not None:
            left.axvline(rows[-1]["d_star"], color=shape["color"], linestyle=":", linewidth=1.2)
        found = [(r["density"], r["d_star"], r["d_low"], r["d_high"]) for r in rows if r["d_star"] is not None]
        if found:
            at, star, low, high = zip(*found)
            at = np.array(at) * (1 + 0.02 * (index - 1))  # beside each other
            error = [
                [s - (lo if lo is not None else s) for s, lo in zip(star, low)],
                [(hi if hi is not None else s) - s for s, hi in zip(star, high)],
            ]
            middle.errorbar(
                at,
                star,
                yerr=np.maximum(0, error),
                color=shape["color"],
                marker=shape["marker"],
                markersize=5,
                linestyle="none",
                capsize=2,
                label=f"d*, seed {seed}",
            )
    held = [joint for joints in summary.get("held", {}).values() for joint in joints.values()]
    draw_held(middle, [joint for joint in held if joint["d_star"] is not None])
    left.set_ylabel("validation accuracy, %")
    left.set_title(
        "stages, last fit and its d* (dotted)"
        + (";\nfit of density and time (dashed)" if summary.get("joint") else "")
        + (", its interval (shaded)" if any(j["low"] is not None for j in summary.get("joint", {}).values()) else ""),
        fontsize=10,
    )
    left.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")
    look.density_axis(left, min(density))
    look.density_axis(middle, min(density))
    look.density_axis(middle, min(density), vertical=True)
    middle.plot(
        [min(density), 1], [min(density), 1], color="#999999", linewidth=1, linestyle="--", label="stop: density ≥ d*"
    )
    if summary["control_stage"] is not None:
        stage = summary["control_stage"]
        middle.axhspan(
            summary["controls"][stage - 1]["density"] if stage else min(density),
            summary["controls"][stage]["density"],
            color="#999999",
            alpha=0.25,
            linewidth=0,
            label="here the masks trained anew\ncome within ε of dense",
        )
    middle.set_xlabel("density of the last stage in the fit")
    middle.set_ylabel("d* (bars: 95 % bootstrap)")
    middle.legend(loc="upper left", fontsize=8)
    if summary["rules"]:
        right = axes[2]
        for index, name in enumerate(dict.fromkeys(r["extrapolator"] for r in summary["rules"].values())):
            rows = [r for r in summary["rules"].values() if r["extrapolator"] == name]
            right.plot(
                [r["cost"]["mean"] for r in rows],
                [-100 * r["lost"]["mean"] for r in rows],
                label=name,
                alpha=0.8,
                **(look.style(index) | {"linestyle": "none"}),
            )
        right.axhline(-100 * summary["epsilon"], color="#666666", linestyle="--", linewidth=1)
        right.set_xlabel("cost to the stop and of the final training\n(density × epochs, dense = 1)")
        right.set_ylabel("test accuracy minus dense training, points")
        n = max(len(r["seeds"]) for r in summary["rules"].values())
        right.set_title(f"{len(summary['rules'])} rules, means of n = {n}; dashed: -ε", fontsize=10)
        right.legend(loc="best")
    return [look.save(figure, base)]
