"""Files of motion capture: hierarchies with rotations, markers, and Kinect's bodies. One module a format."""
