"""What to look at before a verdict is believed, in a line each."""

from ..statistics.wording import WEAK, of_100

ENOUGH = 10  # images of a class, from which its neighbours tell something
MANY = 0.2  # of all images
BALANCED, UNBALANCED = 1.5, 3  # times as many images of the largest class as of the smallest


def checks(verdict, cell, misplaced, near, groups, controls):
    """Return (mark, words) of each check; the mark is good, look, bad or none.

    Parameters
    ----------
    verdict : dict
        The dataset's row of verdict.csv.
    cell : dict
        Any of its rows of goodness.csv.
    misplaced : list of dict
        The images that lie among those of other classes, at the depth advised.
    near : dict or None
        What ``near_copies_told`` says of near copies.
    groups : dict or None
        What ``other_groups`` finds.
    controls : dict of str to str
        See ``Plan.controls``.
    """
    found = []
    if verdict["answer"] == "none":
        found.append(("bad", "classes differ by no more than chance"))
    else:
        found.append(("good", "classes differ by more than chance"))
        if verdict["quality"] in WEAK:
            wrong = of_100(1 - verdict["knn1_half"])
            found.append(("look", f"of 100 pictures {wrong} are most like one of another class"))
    smallest, largest = int(cell["smallest_class"]), int(cell["largest_class"])
    enough = f"{smallest:,} pictures or more of each class"
    if smallest < ENOUGH:
        enough = f"a class has only {smallest} picture{'s' * (smallest != 1)}"
    found.append(("good" if smallest >= ENOUGH else "look", enough))
    times = largest / smallest
    if times > UNBALANCED:
        found.append(("look", f"the largest class is {times:.0f} times the smallest"))
    elif times > BALANCED:
        found.append(("none", f"classes have {smallest:,} to {largest:,} pictures"))
    else:
        found.append(("good", "classes are balanced"))
    control = verdict.get("control", "").split("/")[0]
    if control:
        name = controls.get(control, control)
        found.append(
            {
                "yes": ("good", f"beats {name}"),
                "no": ("look", f"no better than {name}"),
                "not told": ("look", f"perhaps no better than {name}"),
            }[verdict["beats_control"]]
        )
    elif verdict["answer"] != "none":
        found.append(("none", "no control in this run"))
    if verdict.get("groups_suspected"):
        found.append(("look", "pictures may belong together"))
    if str(verdict.get("nuisance_warning")) == "True":
        found.append(("look", "neighbours share the nuisance rather than the class"))
    if groups:
        found.append(
            ("look", f"pictures form {groups['clusters']} groups that are not the classes")
        )
    if near and near["pairs"]:
        told = f"{near['images']:,} of {int(cell['images']):,} pictures are near copies"
        worse = {"conflicts": "of two labels", "leaks": "in two splits"}
        of_two = {what: near[key] for key, what in worse.items() if near[key]}
        told += "".join(f", {n:,} pair{'s' * (n > 1)} {what}" for what, n in of_two.items())
        found.append(("look", told))
    elif near:
        found.append(("good", "no near copies"))
    if misplaced:
        doubted = labels_doubted(misplaced, cell)
        what = "may have a wrong label" if doubted else "look more like another class"
        found.append(("look", f"{len(misplaced):,} of {int(cell['images']):,} pictures {what}"))
    elif verdict["answer"] != "none":
        found.append(("good", "no picture looks misplaced"))
    return found


def labels_doubted(misplaced, cell):
    """Return whether the labels may be wrong of images that another one fits better.

    Of many it is hardly their labels, but a layer that does not tell the classes apart.
    """
    return len(misplaced) <= MANY * int(cell["images"])
