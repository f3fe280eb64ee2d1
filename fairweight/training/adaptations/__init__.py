"""Which weights of a pretrained model are trained."""
