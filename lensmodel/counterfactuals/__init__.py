"""How much of a network's score the arcs carry: the same images without them, judged again.

Of `subjects` the arcs are erased (`erasing`, on the galaxies of `galaxy_light`) and `judging` compares the verdicts.
"""
