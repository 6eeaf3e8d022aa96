"""Files of keypoints, as detectors in images write them. One module a detector's format, and what they share."""
