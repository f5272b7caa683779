"""Train EvidenceNet on simulated campaigns.

images : cutouts with truth, cut and turned at random. losses : what is taught. course : the steps, for Lightning.
validation : figures and calibration on images not learned from. run : all of it, from campaigns to weights.
"""
