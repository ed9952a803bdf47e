"""The experiments in the order in which they are best read, each with the question it asks: for the pages in docs and
the HTML report."""

# name: (title, question)
EXPERIMENTS = {
    "growth_rules": (
        "Accuracy over density along the growth path",
        "How does accuracy rise while a network grows, and does the growth rule matter? Every rule starts from the same"
        " seed mask. Later stages are denser but also longer trained, so control runs go through the same stages at"
        " one density.",
    ),
    "methods_table": (
        "Every method at fixed densities",
        "Which method is most accurate at a given density, with equal epochs, and what does each cost?",
    ),
    "cost_accuracy": (
        "Cost at equal density",
        "Is growth cheaper than iterative and gradual pruning at the same density, epochs per stage and final"
        " training?",
    ),
    "discovery_cost": (
        "Cost of finding a density",
        "What does it cost to find the smallest density within epsilon of dense? Every search ends with one training by"
        " the recipe; searches that return train for half of the recipe's epochs.",
    ),
    "extrapolation": (
        "Where growth stops",
        "Is the extrapolated density right? The mask of every stage is trained again from fresh weights by the whole"
        " recipe, and every stopping rule is replayed on the recorded stages.",
    ),
    "grow_return": (
        "Growing to a peak and returning",
        "Does a search that costs a share of one dense training reach near-dense accuracy, and what density does it"
        " find?"
        " Dense training for equally many epochs is shown beside it.",
    ),
    "return_regime": (
        "Where there is redundancy",
        "How does the density that returning finds follow width, network, and difficulty of the task?",
    ),
    "grow_reallocate": (
        "Down to 98 % sparsity",
        "How far does growth get, and what does moving connections afterwards add?",
    ),
    "discovered_density": (
        "Does the density found follow the task?",
        "The direction in which the density should move was written down for every family of tasks before any run.",
    ),
    "growth_pace": (
        "Pace of growth",
        "How many epochs does a stage need, and how many connections should it add?",
    ),
    "ablations": (
        "Choices, one at a time",
        "What changes if one choice of the method is made the other way?",
    ),
    "bottleneck": (
        "Bottlenecks and diversity",
        "Does greedy growth narrow the network, and do two seeds of growth give different networks?",
    ),
    "convergence": (
        "Losses and the path kernel",
        "How fast does the loss fall at equal density, and does the path kernel's trace predict it?",
    ),
    "execution_agreement": (
        "Sparse and dense execution",
        "Do both train equally well? The margin was stated before any run.",
    ),
    "wall_clock": (
        "Seconds of whole trainings",
        "What does sparse execution save in seconds and memory, measured on whole trainings?",
    ),
}

# name: (page of docs/results made by compare.py, what it holds)
BESIDE = {
    "execution_agreement": (
        "growth_rules-small.sparse-against-dense.md",
        "The growth rules under both as well: validation accuracy after every stage of every curve, sparse minus dense",
    ),
}


def in_order(names):
    """Names of experiments in reading order; unknown ones last, by name."""
    known = list(EXPERIMENTS)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def title(name):
    return EXPERIMENTS[name][0] if name in EXPERIMENTS else name.replace("_", " ")


def question(name):
    return EXPERIMENTS[name][1] if name in EXPERIMENTS else ""
