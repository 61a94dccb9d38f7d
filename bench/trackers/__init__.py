"""What became of cells, told to trackers: MLflow, TensorBoard, Weights & Biases, trackio.

Each is sent to by a process of its own (:mod:`bench.trackers.sender`), which reads the run's records as anybody does,
asks the tracker which of them it has, and sends what it lacks. So one that is down or hangs ends alone, and what it did
not get is sent the next time. A run is sent when it has ended: until then it measures how long things take, and its
records are not whole. Imports no torch; that process does.
"""
