"""The kinds of figures, by their folder, and what those of each show."""

SHOWN = {
    "depths": "all measures of all layers against depth",
    "maps": "the pictures on a map, layer by layer",
    "violins": "goodness beside that of shuffled labels",
    "heatmaps": "how far classes are apart, pair by pair",
    "misplaced": "pictures that lie among those of another class",
    "labelling": "how many labels are enough",
    "contact_sheets": "groups that form without labels",
    "near_copies": "near copies, pair by pair",
    "networks": "the layers of the network, from the image on",
    "samples": "some pictures of each class",
    "ask": "pictures to label first",
    "learning_curves": "how the autoencoder learned",
    "reconstructions": "what the autoencoder makes of the pictures",
}
